/** The journal of events. Its places increase in the order in which events become readable. */
import type { DomainEvent, JournalEvent } from "../domain/model/event.ts";
import type { EventQuery } from "../domain/ports/event-store.ts";
import { EventRow } from "./entities.ts";
import type { Database, SqlSession } from "./ports.ts";

export const createEventStore = (database: Database, appended: (events: number) => void) => ({
  events: (after = 0, limit = 1000): Promise<JournalEvent[]> => eventsAfter(database, after, limit),

  lastEvent: (): Promise<number> => database.read(lastPlace),

  async listEvents({ target, types, before, limit }: EventQuery): Promise<JournalEvent[]> {
    const where = {
      ...(target && { subject: target.uuid }),
      ...(types && { type: { $in: [...types] } }),
      ...(before !== undefined && { seq: { $lt: before } }),
    };
    const rows = await database.read((em) => em.find(EventRow, where, { orderBy: { seq: -1 }, limit }));
    return rows.map(eventOf);
  },

  async event(id: string): Promise<JournalEvent | undefined> {
    const row = await database.read((em) => em.findOne(EventRow, { id }));
    return row ? eventOf(row) : undefined;
  },

  async note(event: DomainEvent): Promise<void> {
    await database.write((em) => appendEvent(em, event));
    appended(1);
  },
});

/** Events after a place, oldest first. */
export async function eventsAfter(database: Database, after: number, limit: number): Promise<JournalEvent[]> {
  const where = { seq: { $gt: after } };
  const rows = await database.read((em) => em.find(EventRow, where, { orderBy: { seq: 1 }, limit }));
  return rows.map(eventOf);
}

/** The place of the newest event; 0 if there is none. */
export async function lastPlace(em: SqlSession): Promise<number> {
  const [row] = await em.execute<{ seq: number }[]>("select coalesce(max(seq), 0) as seq from events");
  return row?.seq ?? 0;
}

/** Writes an event within the transaction that makes it true, unless it exists already. An operation that ended unknown
 * and is settled later may number its events from the beginning again: a different event with the same id gets a new
 * id, so that neither is lost. */
export async function appendEvent(em: SqlSession, event: DomainEvent): Promise<void> {
  const other = await em.findOne(EventRow, { id: event.id });
  if (other?.type === event.type) return;
  const body = other ? { ...event, id: `${event.id}:${event.type}` } : event;
  if (other && (await em.count(EventRow, { id: body.id })) > 0) return;
  const { id, type, subject, time } = body;
  await em.insert(EventRow, { id, type, subject, time, body });
}

const eventOf = ({ seq, body }: Pick<EventRow, "seq" | "body">): JournalEvent => ({ seq, event: body });
