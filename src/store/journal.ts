/** Operations and the events that they end in. */
import type { EntityManager } from "@mikro-orm/sqlite";
import type { DomainEvent } from "../domain/event.ts";
import type { Operation, Step } from "../domain/operation.ts";
import type { Settlement } from "../domain/port.ts";
import type { Target } from "../domain/vm.ts";
import type { Database } from "./database.ts";
import { EventRow, OperationRow } from "./entities.ts";
import type { Holder } from "./holder.ts";
import { operationOf, operationValues } from "./mapping.ts";
import { keyOf, putRecord, removeRecord } from "./records.ts";
import type { retentionIn } from "./retention.ts";
import { leaveSighting } from "./sightings.ts";

const unsettled: Operation["status"][] = ["begun", "unknown"];

type Retaining = Pick<ReturnType<typeof retentionIn>, "isDue" | "soon">;

export const journalIn = (database: Database, holder: Holder, retaining: Retaining, now: () => Date) => ({
  async begin(operation: Operation): Promise<void> {
    holder.hold();
    await database.write((em) => em.insert(OperationRow, operationValues(operation, holder.id)));
  },

  async advance(id: string, steps: readonly Step[], direction: Operation["direction"]): Promise<void> {
    const where = { id, status: { $in: unsettled } };
    const changed = await database.write((em) => em.nativeUpdate(OperationRow, where, { steps, direction }));
    if (changed === 0) throw new Error(`Operation "${id}" is not open, so it cannot advance`);
  },

  async settle(id: string, settlement: Settlement): Promise<void> {
    const due = await database.write(async (em) => {
      const row = await em.findOne(OperationRow, { id }, { fields: ["connection", "uuid", "status"] });
      if (!row) throw new Error(`Operation "${id}" was never begun, so it cannot be settled`);
      if (!unsettled.includes(row.status)) return false;
      const at = now().toISOString();
      const { status, steps, error, record, sighting, events } = settlement;
      await em.nativeUpdate(OperationRow, { id }, { status, steps, error: error ?? null, settledAt: at });
      if (record) await putRecord(em, record, at);
      if (record === null) await removeRecord(em, row);
      if (sighting !== undefined) await leaveSighting(em, row, sighting);
      for (const event of events) await append(em, event);
      return retaining.isDue(em, id);
    });
    if (due) retaining.soon();
  },

  async operation(id: string): Promise<Operation | undefined> {
    const row = await database.read((em) => em.findOne(OperationRow, { id }));
    return row ? operationOf(row) : undefined;
  },

  async open(target?: Target): Promise<Operation[]> {
    const rows = await database.read((em) => openRows(em, target));
    const alive = new Map([...new Set(rows.map((row) => row.holder))].map((id) => [id, holder.isAlive(id)]));
    return rows.filter((row) => row.status === "unknown" || !alive.get(row.holder)).map(operationOf);
  },
});

/** What is left open on a VM that we hold: nobody else can be at it, so whatever is begun was left behind. */
export const leftOn = async (em: EntityManager, target: Target): Promise<Operation[]> =>
  (await openRows(em, target)).map(operationOf);

const openRows = (em: EntityManager, target?: Target) =>
  em.find(
    OperationRow,
    { status: { $in: unsettled }, ...(target && keyOf(target)) },
    { orderBy: { begunAt: 1, id: 1 } },
  );

/** Writes an event unless it is there already. An operation that ended unknown and is settled later may count its
 * events from the beginning again: the same id for another fact gets a new one, so that neither is lost. */
export async function append(em: EntityManager, event: DomainEvent): Promise<void> {
  const other = await em.findOne(EventRow, { id: event.id });
  if (other?.type === event.type) return;
  const body = other ? { ...event, id: `${event.id}:${event.type}` } : event;
  if (other && (await em.count(EventRow, { id: body.id })) > 0) return;
  const { id, type, subject, time } = body;
  await em.insert(EventRow, { id, type, subject, time, body });
}
