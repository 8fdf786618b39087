/** Operations that are not settled. */
import type { Operation } from "../domain/changes/operation.ts";
import type { Target } from "../domain/model/vm.ts";
import { OperationRow, OperationTargetRow } from "./entities.ts";
import { operationOf } from "./mapping.ts";
import type { SqlSession } from "./ports.ts";
import { keyOf } from "./records.ts";

export const unsettled: Operation["status"][] = ["begun", "unknown"];

/** Open operations on targets that this process holds. No other process can work on these, so every begun one is
 * abandoned. */
export const openOperationsOn = async (em: SqlSession, targets: readonly Target[]): Promise<Operation[]> =>
  operationsOf(em, await openRows(em, targets));

export const openRows = async (em: SqlSession, targets?: readonly Target[]): Promise<OperationRow[]> => {
  const where = { status: { $in: unsettled }, ...(targets && (await holding(em, targets))) };
  return em.find(OperationRow, where, { orderBy: { begunAt: 1, id: 1 } });
};

/** The operations that hold one of these targets, as their own VM or beside it. */
export async function holding(em: SqlSession, targets: readonly Target[]) {
  const keys = targets.map(keyOf);
  const rows = await em.find(OperationTargetRow, { $or: keys }, { fields: ["operation"] });
  const ids = rows.map(({ operation }) => operation);
  return { $or: [...keys, ...(ids.length > 0 ? [{ id: { $in: ids } }] : [])] };
}

/** The operations of these rows, with the targets that they hold beside their own VM. */
export async function operationsOf(em: SqlSession, rows: readonly OperationRow[]): Promise<Operation[]> {
  const ids = rows.map(({ id }) => id);
  const all = ids.length > 0 ? await em.find(OperationTargetRow, { operation: { $in: ids } }) : [];
  const held = Map.groupBy(all, ({ operation }) => operation);
  return rows.map((row) => operationOf(row, held.get(row.id)?.map(keyOf)));
}
