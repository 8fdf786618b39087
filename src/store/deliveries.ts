/** The progress of each subscriber. Its place always advances. An event that it did not take has a row of its own until
 * it is taken or given up, and later events of the same VM wait behind it. */
import type { JournalEvent } from "../domain/model/event.ts";
import type { Delivery, Feed, Round } from "../domain/ports/event-store.ts";
import { DeliveryRow, SubscriberRow } from "./entities.ts";
import { eventsAfter, lastPlace } from "./events.ts";
import type { Database, SqlSession } from "./ports.ts";

/** Waiting deliveries of one subscriber. With more than these it gets no new events until some are taken or given
 * up. */
export const DELIVERIES_WAITING_MAX = 10_000;
/** Dead deliveries of one subscriber; the newest stay. */
export const DELIVERIES_DEAD_MAX = 1_000;

const beyond = `delete from deliveries where subscriber = ? and state = 'dead' and seq not in (
  select seq from deliveries where subscriber = ? and state = 'dead' order by seq desc limit ${DELIVERIES_DEAD_MAX})`;

export const createDeliveryStore = (database: Database, now: () => Date) => ({
  async subscribers(): Promise<{ name: string; cursor: number }[]> {
    const rows = await database.read((em) => em.find(SubscriberRow, {}, { orderBy: { name: 1 } }));
    return rows.map(({ name, place }) => ({ name, cursor: place }));
  },

  async feed(subscriber: string, limit: number): Promise<Feed> {
    const cursor = await cursorOf(database, subscriber, now());
    const rows = await database.read((em) =>
      em.find(DeliveryRow, { subscriber, state: "waiting" }, { orderBy: { seq: 1 }, limit: DELIVERIES_WAITING_MAX }),
    );
    const first = new Map<string, DeliveryRow>();
    for (const row of rows) if (!first.has(row.subject)) first.set(row.subject, row);
    const at = now().toISOString();
    const heads = [...first.values()];
    const later = heads.filter((row) => row.at > at).map((row) => row.at);
    const nextAt = later.sort()[0];
    return {
      cursor,
      events: rows.length < DELIVERIES_WAITING_MAX ? await eventsAfter(database, cursor, limit) : [],
      due: heads
        .filter((row) => row.at <= at)
        .slice(0, limit)
        .map(deliveryOf),
      waitingFor: [...first.keys()],
      ...(nextAt !== undefined && { nextAt }),
    };
  },

  async endRound(subscriber: string, { cursor, taken, failed }: Round): Promise<void> {
    await database.write(async (em) => {
      await em.nativeUpdate(SubscriberRow, { name: subscriber, place: { $lt: cursor } }, { place: cursor });
      if (taken.length > 0) await em.nativeDelete(DeliveryRow, { subscriber, seq: { $in: [...taken] } });
      for (const { seq, event, attempts, state, at, error } of failed) {
        const values = { subject: event.subject, body: event, attempts, state, at, error: error ?? null };
        await putDelivery(em, { subscriber, seq, ...values });
      }
      if (failed.some(({ state }) => state === "dead")) await em.execute(beyond, [subscriber, subscriber]);
    });
  },

  async deliveries({
    subscriber,
    state,
    limit,
  }: Readonly<{ subscriber?: string; state?: Delivery["state"]; limit: number }>): Promise<Delivery[]> {
    const where = { ...(subscriber !== undefined && { subscriber }), ...(state && { state }) };
    const rows = await database.read((em) => em.find(DeliveryRow, where, { orderBy: { seq: -1 }, limit }));
    return rows.map(deliveryOf);
  },

  async redeliver(subscriber: string, { seq, event }: JournalEvent): Promise<void> {
    const values = { subject: event.subject, body: event, attempts: 0, state: "waiting" as const, error: null };
    await database.write((em) => putDelivery(em, { subscriber, seq, ...values, at: now().toISOString() }));
  },
});

/** How often the time at which a subscriber was served is updated, in milliseconds. */
const SERVED_EVERY_MS = 24 * 60 * 60_000;

/** The place of a subscriber. A new one begins at the end of the journal. */
async function cursorOf(database: Database, name: string, at: Date): Promise<number> {
  const known = await database.read((em) => em.findOne(SubscriberRow, { name }));
  const servedAt = at.toISOString();
  if (known && known.servedAt > new Date(at.getTime() - SERVED_EVERY_MS).toISOString()) return known.place;
  return database.write(async (em) => {
    const found = await em.findOne(SubscriberRow, { name });
    const place = found?.place ?? (await lastPlace(em));
    if (found) await em.nativeUpdate(SubscriberRow, { name }, { servedAt });
    else await em.insert(SubscriberRow, { name, place, servedAt });
    return place;
  });
}

async function putDelivery(em: SqlSession, row: Values): Promise<void> {
  const { subscriber, seq } = row;
  await em.nativeDelete(DeliveryRow, { subscriber, seq });
  await em.insert(DeliveryRow, row);
}

type Values = Pick<DeliveryRow, "subscriber" | "seq" | "subject" | "body" | "attempts" | "state" | "at" | "error">;

const deliveryOf = ({ subscriber, seq, body, attempts, state, at, error }: Values): Delivery => ({
  subscriber,
  seq,
  event: body,
  attempts,
  state,
  at,
  ...(error !== null && error !== undefined && { error }),
});
