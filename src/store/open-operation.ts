/** Operations that are not settled. */
import type { EntityManager } from "@mikro-orm/sqlite";
import type { Operation } from "../domain/changes/operation.ts";
import type { Target } from "../domain/model/vm.ts";
import { OperationRow } from "./entities.ts";
import { operationOf } from "./mapping.ts";
import { keyOf } from "./records.ts";

export const unsettled: Operation["status"][] = ["begun", "unknown"];

/** What is left open on a VM that we hold: nobody else can be at it, so whatever is begun was left behind. */
export const leftOn = async (em: EntityManager, target: Target): Promise<Operation[]> =>
  (await openRows(em, target)).map(operationOf);

export const openRows = (em: EntityManager, target?: Target) =>
  em.find(
    OperationRow,
    { status: { $in: unsettled }, ...(target && keyOf(target)) },
    { orderBy: { begunAt: 1, id: 1 } },
  );
