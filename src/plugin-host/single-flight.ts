/** Shares one run of a read among concurrent callers. */

/** The longest time that a run delays the next one. */
const WAIT_LIMIT_MS = 1_000;

/**
 * Callers during a run do not get its answer, since that may be older than what they know. They share the next run, which
 * begins when the present one has ended. A run is aborted when all of its callers have given up. Callers share the answer
 * and must not change it.
 */
export function singleFlight<T>(run: (signal: AbortSignal) => Promise<T>): (signal?: AbortSignal) => Promise<T> {
  let underWay: Promise<void> | undefined;
  let next: SharedRun<T> | undefined;

  function begin(): SharedRun<T> {
    const mine = startSharedRun<T>(
      async (signal) => {
        await underWay;
        // A later caller may know of a change that this run misses.
        if (next === mine) next = undefined;
        signal.throwIfAborted();
        const answer = run(signal);
        const ended = endOf(answer);
        underWay = ended;
        void ended.then(() => {
          if (underWay === ended) underWay = undefined;
        });
        return answer;
      },
      () => {
        if (next === mine) next = undefined;
      },
    );
    return mine;
  }
  return async (signal) => {
    signal?.throwIfAborted();
    next ??= begin();
    return next.join(signal);
  };
}

/** Resolves when the run has ended, with or without an error, or at WAIT_LIMIT_MS. */
function endOf(running: Promise<unknown>): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, WAIT_LIMIT_MS);
  const done = () => {
    clearTimeout(timer);
    resolve();
  };
  running.then(done, done);
  return promise;
}

type SharedRun<T> = Readonly<{ join(signal: AbortSignal | undefined): Promise<T> }>;

/** A run with its waiting callers. `left` is called when the last caller has given up. */
function startSharedRun<T>(work: (signal: AbortSignal) => Promise<T>, left: () => void): SharedRun<T> {
  const ending = new AbortController();
  const answer = work(ending.signal);
  // Waiting callers receive a failure. Without callers it must not be an unhandled rejection.
  answer.catch(() => {});
  let waiting = 0;
  return {
    async join(signal) {
      waiting += 1;
      const { promise: givenUp, reject } = Promise.withResolvers<never>();
      const giveUp = () => {
        reject(signal!.reason);
        waiting -= 1;
        if (waiting > 0) return;
        left();
        ending.abort(signal!.reason);
      };
      signal?.addEventListener("abort", giveUp, { once: true });
      try {
        return await Promise.race([answer, givenUp]);
      } finally {
        signal?.removeEventListener("abort", giveUp);
      }
    },
  };
}
