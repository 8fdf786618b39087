/** One look for all who ask for the same at the same time. */

/** A look that has not ended by then keeps the next one no longer. */
const WAIT_LIMIT_MS = 1_000;

/**
 * The same look, which many may ask for at once. Who asks while it is under way does not get its answer, since that may
 * be older than what they know: all who come meanwhile share the next one, which begins when it has ended. A look is
 * aborted once everybody who waits for it has given up. The answer is everybody's, so nobody may change it.
 */
export function singleFlight<T>(run: (signal: AbortSignal) => Promise<T>): (signal?: AbortSignal) => Promise<T> {
  let underWay: Promise<void> | undefined;
  let next: SharedRun<T> | undefined;

  function begin(): SharedRun<T> {
    const mine = startSharedRun<T>(
      async (signal) => {
        await underWay;
        // From here on it may miss what somebody who asks knows of.
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

/** Once it has ended, whatever came of it, or has taken so long that nobody should wait for it. */
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

/** A look with those who wait for it; `left` is called when the last of them has given up. */
function startSharedRun<T>(work: (signal: AbortSignal) => Promise<T>, left: () => void): SharedRun<T> {
  const ending = new AbortController();
  const answer = work(ending.signal);
  // Those who wait hear of a failure; where nobody does any more, nobody has to.
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
