/** Waits for a write to the journal, or for a time. A write between two waits is not missed. */
import type { EventStore } from "../ports/event-store.ts";

export function createChangeSignal(journal: Pick<EventStore, "onChange">, signal: AbortSignal) {
  let rung = false;
  let wake: (() => void) | undefined;
  const notify = () => {
    rung = true;
    wake?.();
  };
  const end = journal.onChange(notify);
  const sleepFor = async (ms: number, listen: (wakeUp: () => void) => void): Promise<void> => {
    if (signal.aborted) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const wakeUp = () => resolve();
    const timer = setTimeout(wakeUp, Math.max(ms, 1));
    signal.addEventListener("abort", wakeUp);
    listen(wakeUp);
    await promise;
    clearTimeout(timer);
    signal.removeEventListener("abort", wakeUp);
  };
  return {
    notify,
    clear: () => {
      rung = false;
    },
    /** Waits until it rings, at most `ms` milliseconds. */
    wait: async (ms: number): Promise<void> => {
      if (rung) return;
      await sleepFor(ms, (wakeUp) => {
        wake = wakeUp;
      });
      wake = undefined;
    },
    /** Waits `ms` milliseconds, whether it rings or not. */
    sleep: (ms: number): Promise<void> => sleepFor(ms, () => {}),
    end,
  };
}
