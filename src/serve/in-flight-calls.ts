/** What is under way for callers, so that the server's end can wait for it. */
import { setTimeout as after } from "node:timers/promises";

/** How long what is under way may go on by itself once the server is to end, and how long it may then take to settle. */
const END_LIMIT_MS = 5_000;
const SETTLE_LIMIT_MS = 10_000;

export type InFlightCalls = Readonly<{
  /** Aborted when the server is about to end: what has no end of its own ends now. */
  ending: AbortSignal;
  /** Aborted when what is under way may go on no longer. */
  signal: AbortSignal;
  count(): number;
  add<T>(work: Promise<T>): Promise<T>;
  /** Waits for what is under way; past the limits it is cancelled, looked at and settled. */
  end(): Promise<void>;
}>;

export function createInFlightCalls(limits: Readonly<{ endMs?: number; settleMs?: number }> = {}): InFlightCalls {
  const [ending, cancelling] = [new AbortController(), new AbortController()];
  const underWay = new Set<Promise<unknown>>();
  const settledWithin = async (ms: number) => {
    const settled = new AbortController();
    const limit = after(ms, undefined, { signal: settled.signal }).catch(() => undefined);
    await Promise.race([Promise.allSettled(underWay), limit]);
    settled.abort();
  };
  return {
    ending: ending.signal,
    signal: cancelling.signal,
    count: () => underWay.size,
    add(work) {
      underWay.add(work);
      const done = () => underWay.delete(work);
      work.then(done, done);
      return work;
    },
    async end() {
      ending.abort();
      await settledWithin(limits.endMs ?? END_LIMIT_MS);
      cancelling.abort();
      await settledWithin(limits.settleMs ?? SETTLE_LIMIT_MS);
    },
  };
}
