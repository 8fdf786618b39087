/** Limits of time. A call has one deadline, made at its surface; whoever passes the call on may narrow it, and nobody
 * widens it. Three things are not on the caller's time, and state their own: a step that has begun, the look after it,
 * and the settlement. Ending those with the caller would leave a change of which nobody knows how it ended. */

/** What has not returned may still happen. */
export class DeadlineExceeded extends Error {}

/** Why a signal was aborted: its deadline is over. */
export class TimeIsUp extends Error {
  // As the reason of AbortSignal.timeout(), by which plugins know it.
  override readonly name = "TimeoutError";
}

export type Deadline = Readonly<{
  /** Aborted with TimeIsUp when the time is up, or with the outer signal and its reason. */
  signal: AbortSignal;
  /** Lets go of the timer and of the outer signal. */
  end(): void;
}>;

/** Begins a deadline of so many milliseconds, which ends with the outer signal at the latest: so it narrows an outer
 * deadline and cannot widen it. Whoever begins it ends it. */
export function startDeadline(limitMs: number, outer?: AbortSignal): Deadline {
  // AbortSignal.timeout() would keep what listens to it until its time is up, long after the work is done.
  const ending = new AbortController();
  const timer = setTimeout(() => ending.abort(new TimeIsUp(`no answer within ${limitMs / 1000} s`)), limitMs);
  const giveUp = () => ending.abort(outer?.reason);
  if (outer?.aborted) giveUp();
  else outer?.addEventListener("abort", giveUp, { once: true });
  return {
    signal: ending.signal,
    end() {
      clearTimeout(timer);
      outer?.removeEventListener("abort", giveUp);
    },
  };
}

/** What work does within a deadline that narrows the outer signal's. */
export async function within<T>(
  limitMs: number,
  outer: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const deadline = startDeadline(limitMs, outer);
  try {
    return await work(deadline.signal);
  } finally {
    deadline.end();
  }
}

/** Work that heeds its signal has this long to say by itself how it ended. */
const GRACE_MS = 1_000;

/** As `within()`, for work that may heed no signal: soon after the deadline nobody waits for it any more.
 * @throws DeadlineExceeded for work that has not ended by then */
export async function withDeadline<T>(
  limitMs: number,
  work: (signal: AbortSignal) => Promise<T>,
  outer?: AbortSignal,
): Promise<T> {
  const { signal, end } = startDeadline(limitMs, outer);
  const { promise: silent, reject } = Promise.withResolvers<never>();
  let grace: ReturnType<typeof setTimeout> | undefined;
  const giveUp = () => {
    const { reason } = signal;
    const message = reason instanceof TimeIsUp ? reason.message : "no answer, and nobody waits any longer";
    grace = setTimeout(() => reject(new DeadlineExceeded(message)), GRACE_MS);
  };
  if (signal.aborted) giveUp();
  else signal.addEventListener("abort", giveUp, { once: true });
  try {
    return await Promise.race([work(signal), silent]);
  } finally {
    clearTimeout(grace);
    signal.removeEventListener("abort", giveUp);
    end();
  }
}
