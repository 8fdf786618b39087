/** Begins, advances and settles operations. */
import { JOURNAL_SCHEMA, journalRowOf, readJournalRow } from "../domain/changes/journal.ts";
import { type Operation, type Step, targetsOf } from "../domain/changes/operation.ts";
import type { Target } from "../domain/model/vm.ts";
import type { Settlement } from "../domain/ports/store.ts";
import type { createClaimStore } from "./claims.ts";
import { ClaimRow, OperationRow, OperationTargetRow } from "./entities.ts";
import { appendEvent } from "./events.ts";
import { livingOf } from "./living.ts";
import { operationValues } from "./mapping.ts";
import { openRows, operationsOf, unsettled } from "./open-operations.ts";
import type { Database, Liveness, SqlSession } from "./ports.ts";
import { keyOf, putRecord, removeRecord } from "./records.ts";
import { writeReports } from "./reported-states.ts";
import type { createRetention } from "./retention.ts";

type Ending = Pick<ReturnType<typeof createClaimStore>, "endIn" | "hasEnded">;
type Retaining = Pick<ReturnType<typeof createRetention>, "isDue" | "soon">;

export const createOperationStore = (
  database: Database,
  liveness: Liveness,
  retaining: Retaining,
  claims: Ending,
  now: () => Date,
) => ({
  async begin(operation: Operation): Promise<void> {
    await liveness.hold();
    const [, ...others] = targetsOf(operation);
    await database.write(async (em) => {
      await em.insert(OperationRow, operationValues(operation, liveness.id));
      for (const other of others) await em.insert(OperationTargetRow, { operation: operation.id, ...keyOf(other) });
    });
  },

  async advance(id: string, steps: readonly Step[], direction: Operation["direction"]): Promise<void> {
    const changed = await database.write(async (em) => {
      await carryForward(em, id);
      return em.nativeUpdate(OperationRow, { id, status: { $in: unsettled } }, { steps, direction });
    });
    if (changed === 0) throw new Error(`Cannot advance operation "${id}": it is not open`);
  },

  async settle(id: string, settlement: Settlement): Promise<void> {
    const due = await database.write(async (em) => {
      const row = await em.findOne(OperationRow, { id }, { fields: ["connection", "uuid", "status"] });
      if (!row) throw new Error(`Cannot settle operation "${id}": it was never begun`);
      if (!unsettled.includes(row.status)) return undefined;
      await carryForward(em, id);
      const at = now().toISOString();
      const { status, steps, error, record, reports, events, claim } = settlement;
      await em.nativeUpdate(OperationRow, { id }, { status, steps, error: error ?? null, settledAt: at });
      if (record) await putRecord(em, record, at);
      if (record === null) await removeRecord(em, row);
      const found = reports ? await writeReports(em, row, reports) : [];
      for (const event of [...found, ...events]) await appendEvent(em, event);
      if (claim) await claims.endIn(em, claim);
      return retaining.isDue(em);
    });
    if (settlement.claim && due !== undefined) claims.hasEnded(settlement.claim);
    if (due) retaining.soon();
  },

  async operation(id: string): Promise<Operation | undefined> {
    const row = await database.read((em) => em.findOne(OperationRow, { id }));
    return row ? (await database.read((em) => operationsOf(em, [row])))[0] : undefined;
  },

  async open(target?: Target): Promise<Operation[]> {
    // Claims are read last: a VM is held from before its operation begins until after it is settled.
    const [rows, claims] = await database.read(async (em) => [
      await openRows(em, target && [target]),
      await em.find(ClaimRow, target ? keyOf(target) : {}, { fields: ["connection", "uuid"] }),
    ]);
    const living = await livingOf(liveness, rows);
    const isClaimed = (row: Target) =>
      claims.some(({ connection, uuid }) => row.connection === connection && row.uuid === uuid);
    // A process that lives lost hold of one that it could not record the end of.
    const open = rows.filter((row) => row.status === "unknown" || !living.has(row.holder) || !isClaimed(row));
    return database.read((em) => operationsOf(em, open));
  },
});

/** Converts a row of an older program to the present schema before new steps are written into it. */
async function carryForward(em: SqlSession, id: string): Promise<void> {
  const old = { id, schema: { $lt: JOURNAL_SCHEMA } };
  const row = await em.findOne(OperationRow, old, { fields: ["schema", "steps", "before"] });
  if (row) await em.nativeUpdate(OperationRow, { id }, journalRowOf(readJournalRow(row)));
}
