/** Follows the journal: each event once, in order, as soon as it can be read. */

import type { DomainEvent } from "../model/event.ts";
import type { EventStore } from "../ports/event-store.ts";
import { createChangeSignal } from "./change-signal.ts";

export type Follow = Readonly<{
  journal: Pick<EventStore, "events" | "onChange">;
  /** Follows the events after this place. */
  after: number;
  /** A returned promise delays the next event. */
  onEvent: (event: DomainEvent, place: number) => unknown;
  signal: AbortSignal;
  /** How many events are read at once. */
  atOnce?: number;
  /** How often the journal is read even without a signal, in milliseconds. */
  everyMs?: number;
}>;

/** The pause after a failed read, which no signal shortens. */
const RETRY_MS = 250;

/** Passes events to `onEvent` until the signal ends. After a failed read it continues from the same place. */
export async function follow({
  journal,
  after,
  onEvent,
  signal,
  atOnce = 200,
  everyMs = 5_000,
}: Follow): Promise<void> {
  const changeSignal = createChangeSignal(journal, signal);
  let place = after;
  try {
    while (!signal.aborted) {
      changeSignal.clear();
      const events = await journal.events(place, atOnce).catch(() => undefined);
      for (const { seq, event } of events ?? []) {
        if (signal.aborted) return;
        place = seq;
        await onEvent(event, seq);
      }
      if (!events) await changeSignal.sleep(RETRY_MS);
      else if (events.length < atOnce) await changeSignal.wait(everyMs);
    }
  } finally {
    changeSignal.end();
  }
}
