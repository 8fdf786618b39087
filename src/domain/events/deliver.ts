/** Delivers events to one subscriber, at least once and in order for each VM. A failed delivery is tried again after
 * growing pauses, while other VMs' events continue. After the last attempt it is kept as a dead delivery. */

import type { DomainEvent } from "../model/event.ts";
import type { Delivery, DeliveryStore, EventStore, Feed, LeaseStore, Round } from "../ports/event-store.ts";
import { createChangeSignal } from "./change-signal.ts";
import type { Subscriber } from "./subscriber.ts";

export type DeliveryOptions = Readonly<{
  journal: EventStore & DeliveryStore & LeaseStore;
  now: () => Date;
  /** Returns a number from 0 to 1, for the jitter of pauses: deliveries that failed together should not retry
   * together. */
  random?: () => number;
  log: (message: string) => void;
  /** How often a delivery is tried before it is given up. */
  attemptsMax?: number;
  /** The pause after the first failure, in milliseconds; each further one is four times as long, up to 15 minutes. */
  pauseMs?: number;
  /** How often the journal is read even without a signal, in milliseconds. */
  idleMs?: number;
}>;

export const ATTEMPTS_MAX = 8;
const PAUSE_MS = 1_000;
const PAUSE_MS_MAX = 15 * 60_000;
const IDLE_MS = 5_000;
/** The events of one round. When a process dies during a round, the deliveries of that round are repeated. */
const ROUND_MAX = 100;
/** The time after which a round ends, so that a slow subscriber's place is stored regularly. */
const ROUND_MS = 500;

/** Delivers until the signal ends. One process at a time delivers to one subscriber. */
export async function deliver(subscriber: Subscriber, options: DeliveryOptions, signal: AbortSignal): Promise<void> {
  const { journal, log, now, idleMs = IDLE_MS } = options;
  const task = `deliver:${subscriber.name}`;
  const changeSignal = createChangeSignal(journal, signal);
  let lastLogged = "";
  try {
    while (!signal.aborted) {
      changeSignal.clear();
      let waitMs = idleMs;
      try {
        if (!(await journal.lease(task))) {
          await changeSignal.sleep(idleMs);
          continue;
        }
        const feed = await journal.feed(subscriber.name, ROUND_MAX);
        if (await round(subscriber, feed, options, signal)) continue;
        if (feed.nextAt !== undefined) waitMs = Math.min(waitMs, Date.parse(feed.nextAt) - now().getTime());
        lastLogged = "";
      } catch (error) {
        // A failing database is tried again; the deliveries of this round are then repeated.
        const reason = error instanceof Error ? error.message : String(error);
        if (reason !== lastLogged && !signal.aborted) log(`events for ${subscriber.name}: ${reason}`);
        lastLogged = reason;
      }
      await changeSignal.wait(waitMs);
    }
  } finally {
    changeSignal.end();
  }
}

/** One round. Returns whether there was anything to do. */
async function round(
  subscriber: Subscriber,
  feed: Feed,
  options: DeliveryOptions,
  signal: AbortSignal,
): Promise<boolean> {
  const taken: number[] = [];
  const failed: Round["failed"][number][] = [];
  const blocked = new Set(feed.waitingFor);
  const ends = performance.now() + ROUND_MS;
  const isOver = () => signal.aborted || performance.now() > ends;
  let { cursor } = feed;
  for (const { seq, event, attempts } of feed.due) {
    if (isOver()) break;
    const failure = await tryDelivery(subscriber, event, signal);
    if (signal.aborted && failure) break;
    if (failure) failed.push(again({ seq, event, attempts: attempts + 1 }, failure, options));
    else taken.push(seq);
  }
  for (const { seq, event } of feed.events) {
    if (isOver()) break;
    if (subscriber.types.includes(event.type)) {
      if (blocked.has(event.subject)) failed.push(behind({ seq, event }, options));
      else {
        const failure = await tryDelivery(subscriber, event, signal);
        if (signal.aborted && failure) break;
        if (failure) {
          failed.push(again({ seq, event, attempts: 1 }, failure, options));
          blocked.add(event.subject);
        }
      }
    }
    cursor = seq;
  }
  if (cursor === feed.cursor && taken.length === 0 && failed.length === 0) return false;
  await options.journal.endRound(subscriber.name, { cursor, taken, failed });
  return true;
}

async function tryDelivery(
  { deliver }: Subscriber,
  event: DomainEvent,
  signal: AbortSignal,
): Promise<Error | undefined> {
  try {
    await deliver(event, signal);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

type Failed = Omit<Delivery, "subscriber">;

function again(
  { seq, event, attempts }: Pick<Failed, "seq" | "event" | "attempts">,
  { message }: Error,
  { now, random = Math.random, attemptsMax = ATTEMPTS_MAX, pauseMs = PAUSE_MS }: DeliveryOptions,
): Failed {
  const dead = attempts >= attemptsMax;
  const pause = Math.min(pauseMs * 4 ** (attempts - 1), PAUSE_MS_MAX);
  const at = dead ? now() : new Date(now().getTime() + pause * (0.5 + random() / 2));
  const error = message.slice(0, ERROR_CHARACTERS_MAX);
  return { seq, event, attempts, state: dead ? "dead" : "waiting", at: at.toISOString(), error };
}

const ERROR_CHARACTERS_MAX = 1_000;

/** A delivery behind a failed one: it is due once that one is taken or dead. */
const behind = ({ seq, event }: Pick<Failed, "seq" | "event">, { now }: DeliveryOptions): Failed => ({
  seq,
  event,
  attempts: 0,
  state: "waiting",
  at: now().toISOString(),
});
