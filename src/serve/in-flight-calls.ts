/** Tracks the calls in flight, so that the server's end can wait for them. */
import { setTimeout as after } from "node:timers/promises";

/** At the server's end calls may run on for END_LIMIT_MS. Then they are cancelled and have SETTLE_LIMIT_MS to settle. */
const END_LIMIT_MS = 5_000;
const SETTLE_LIMIT_MS = 10_000;

export type InFlightCalls = Readonly<{
  /** Aborted when the server begins to end. Streams without an end of their own end now. */
  ending: AbortSignal;
  /** Aborted when calls in flight are cancelled. */
  signal: AbortSignal;
  count(): number;
  add<T>(work: Promise<T>): Promise<T>;
  /** Waits for the calls in flight. At the limit it cancels them and waits for them to settle. */
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
