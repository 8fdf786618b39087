/** Deadlines. A call has one deadline, made at its surface; inner calls may narrow it and never widen it. Three things
 * have time limits of their own: a step that has begun, the observation after it, and the settlement. Ending those
 * with the caller would leave a change whose outcome is unknown. */

/** A call did not return in time and may still take effect. */
export class DeadlineExceeded extends Error {}

/** The reason of a signal that its deadline aborted. */
export class TimeIsUp extends Error {
  // The name of AbortSignal.timeout()'s reason, by which plugins recognise it.
  override readonly name = "TimeoutError";
}

export type Deadline = Readonly<{
  /** Aborted with TimeIsUp when the time is up, or together with the outer signal and with its reason. */
  signal: AbortSignal;
  /** Releases the timer and the outer signal. */
  end(): void;
}>;

/** Starts a deadline of `limitMs` milliseconds. It ends with the outer signal at the latest, so it can only narrow an
 * outer deadline. The caller must call `end()`. */
export function startDeadline(limitMs: number, outer?: AbortSignal): Deadline {
  // AbortSignal.timeout() would keep its listeners alive until its time is up, long after the work is done.
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

/** Runs work within a deadline that narrows the outer signal's. */
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

/** Time in which work that observes its signal can still report how it ended. */
const GRACE_MS = 1_000;

/** Like `within()`, for work that may ignore its signal: it stops waiting soon after the deadline.
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
    const message = reason instanceof TimeIsUp ? reason.message : "no answer before the caller gave up";
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
