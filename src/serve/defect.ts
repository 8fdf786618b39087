/** Faults of the program itself. Each is logged once with its stack, and the caller gets the id of the log line. */
import type { AppContext } from "./app-context.ts";

/** The message for the caller. */
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

/** Logs an error as a defect. An error that is a Defect already is not logged again. */
export const defectOf = ({ defect }: Pick<AppContext, "defect">, error: unknown): Defect =>
  error instanceof Defect ? error : new Defect(defect(error), error);
