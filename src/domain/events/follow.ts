/** Following the journal: each event once, in order, as soon as it can be read. */

import type { DomainEvent } from "../model/event.ts";
import type { EventStore } from "../ports/event-store.ts";
import { createChangeSignal } from "./change-signal.ts";

export type Follow = Readonly<{
  journal: Pick<EventStore, "events" | "onChange">;
  /** What is behind this place is told. */
  after: number;
  /** Whoever cannot take the next one yet returns a promise. */
  onEvent: (event: DomainEvent, place: number) => unknown;
  signal: AbortSignal;
  /** How many events are read at one time. */
  atOnce?: number;
  /** How often to look when nothing calls, in milliseconds. */
  everyMs?: number;
}>;

/** After a journal that could not be read: what calls meanwhile does not make it readable. */
const RETRY_MS = 250;

/** Tells what happens until the signal. A store that cannot be read is asked again from the same place. */
export async function follow({
  journal,
  after,
  onEvent,
  signal,
  atOnce = 200,
  everyMs = 5_000,
}: Follow): Promise<void> {
  const bell = createChangeSignal(journal, signal);
  let place = after;
  try {
    while (!signal.aborted) {
      bell.clear();
      const events = await journal.events(place, atOnce).catch(() => undefined);
      for (const { seq, event } of events ?? []) {
        if (signal.aborted) return;
        place = seq;
        await onEvent(event, seq);
      }
      if (!events) await bell.sleep(RETRY_MS);
      else if (events.length < atOnce) await bell.wait(everyMs);
    }
  } finally {
    bell.end();
  }
}
