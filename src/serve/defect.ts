/** Faults of the program's own: logged once with their stack, and named to the caller by the id under which they stand
 * in the log. */
import type { AppContext } from "./app-context.ts";

/** What a caller is told of a fault. */
export const defectMessage = (id: string): string =>
  `This is a fault in Bootwright itself, not in the request; its log has it under ${id}`;

export class Defect extends Error {
  override readonly name = "Defect";
  readonly id: string;
  constructor(id: string, cause: unknown) {
    super(defectMessage(id), { cause });
    this.id = id;
  }
}

/** The defect that an error is. What is one already is not logged again. */
export const defectOf = ({ defect }: Pick<AppContext, "defect">, error: unknown): Defect =>
  error instanceof Defect ? error : new Defect(defect(error), error);
