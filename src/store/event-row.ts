/** Writing an event, within the transaction that makes it true. */
import type { EntityManager } from "@mikro-orm/sqlite";
import type { DomainEvent } from "../domain/model/event.ts";
import { EventRow } from "./entities.ts";

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
