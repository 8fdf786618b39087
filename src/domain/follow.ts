/** Following the journal: each event once, in order, as soon as it can be read. */
import type { DomainEvent } from "./event.ts";
import type { Journal } from "./journal.ts";

export type Follow = Readonly<{
  journal: Pick<Journal, "events" | "onChange">;
  /** What is behind this place is told. */
  after: number;
  tell: (event: DomainEvent) => void;
  signal: AbortSignal;
  /** How many events are read at one time. */
  atOnce?: number;
  /** How often to look when nothing calls, in milliseconds. */
  everyMs?: number;
}>;

/** When to look again after a call. What another process writes calls as it is written, and can be read only once it is
 * on disk, which may take a disk a while. */
const AGAIN_MS = [5, 10, 20, 40, 80, 160, 320];

/** Tells what happens until the signal. A store that cannot be read is asked again from the same place. */
export async function follow({ journal, after, tell, signal, atOnce = 200, everyMs = 5_000 }: Follow): Promise<void> {
  let place = after;
  let looks = AGAIN_MS.length;
  let wake = (): void => {};
  const pause = (ms: number) =>
    new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  const called = () => {
    looks = 0;
    wake();
  };
  const stop = journal.onChange(called);
  signal.addEventListener("abort", called, { once: true });
  try {
    while (!signal.aborted) {
      const events = await journal.events(place, atOnce).catch(() => []);
      for (const { seq, event } of events) {
        if (signal.aborted) return;
        place = seq;
        tell(event);
      }
      if (events.length < atOnce && !signal.aborted) await pause(AGAIN_MS[looks++] ?? everyMs);
    }
  } finally {
    stop();
    signal.removeEventListener("abort", called);
  }
}
