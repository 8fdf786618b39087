/** Waiting for what may never return. */

/** What has not returned may still happen. */
export class DeadlineExceeded extends Error {}

const GRACE_MS = 1_000;

/** What the work comes to, unless it has not within its time, or the caller has given up. Its signal tells it first, and
 * it gets a moment to say by itself how it ended; then nobody waits for it any more, whether it heeds a signal or not.
 * @throws Hung */
export async function withDeadline<T>(
  limitMs: number,
  work: (signal: AbortSignal) => Promise<T>,
  caller?: AbortSignal,
): Promise<T> {
  // AbortSignal.timeout() would keep what listens to it until its time is up, long after the work is done.
  const ending = new AbortController();
  const { promise: silent, reject } = Promise.withResolvers<never>();
  let grace: ReturnType<typeof setTimeout> | undefined;
  const end = (reason: unknown, told: string) => {
    if (ending.signal.aborted) return;
    ending.abort(reason);
    grace = setTimeout(() => reject(new DeadlineExceeded(told)), GRACE_MS);
  };
  const told = `no answer within ${limitMs / 1000} s`;
  const limit = setTimeout(() => end(new DOMException(told, "TimeoutError"), told), limitMs);
  const giveUp = () => end(caller?.reason, "no answer, and nobody waits any longer");
  if (caller?.aborted) giveUp();
  else caller?.addEventListener("abort", giveUp, { once: true });
  try {
    return await Promise.race([work(ending.signal), silent]);
  } finally {
    clearTimeout(limit);
    clearTimeout(grace);
    caller?.removeEventListener("abort", giveUp);
  }
}
