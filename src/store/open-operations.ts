/** Operations that are not settled. */
import type { Operation } from "../domain/changes/operation.ts";
import type { Target } from "../domain/model/vm.ts";
import { OperationRow } from "./entities.ts";
import { operationOf } from "./mapping.ts";
import type { Session } from "./ports.ts";
import { keyOf } from "./records.ts";

export const unsettled: Operation["status"][] = ["begun", "unknown"];

/** What is left open on a VM that we hold: nobody else can be at it, so whatever is begun was left behind. */
export const openOperationsOn = async (em: Session, target: Target): Promise<Operation[]> =>
  (await openRows(em, target)).map(operationOf);

export const openRows = (em: Session, target?: Target) =>
  em.find(
    OperationRow,
    { status: { $in: unsettled }, ...(target && keyOf(target)) },
    { orderBy: { begunAt: 1, id: 1 } },
  );
