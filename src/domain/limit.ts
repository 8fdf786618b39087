/** Waiting for what may never return. */

/** What has not returned may still happen. */
export class Hung extends Error {}

const GRACE_MS = 1_000;

/** What the work comes to, unless it has not within its time. Its signal tells it first, and it gets a moment to say by
 * itself how it ended; then nobody waits for it any more, whether it heeds a signal or not.
 * @throws Hung */
export async function limited<T>(limitMs: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const limit = AbortSignal.timeout(limitMs);
  const answered = new AbortController();
  const silent = new Promise<never>((_resolve, reject) => {
    const report = () => reject(new Hung(`no answer within ${limitMs / 1000} s`));
    limit.addEventListener("abort", () => setTimeout(report, GRACE_MS), { once: true, signal: answered.signal });
  });
  try {
    return await Promise.race([work(limit), silent]);
  } finally {
    answered.abort();
  }
}
