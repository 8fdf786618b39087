/** Waiting for the file system, but not for ever. A network mount whose server is gone never answers, and each such wait
 * holds one of the four threads that this process has for files: with all four held, it would serve nobody any more. */

export type FsTimeoutOptions = Readonly<{
  /** How long one system call may take, in milliseconds. */
  limitMs?: number;
  /** Calls at one time, and so threads that can be held for ever. */
  parallel?: number;
}>;

/** Runs one file system call and waits for it. @throws what the call throws; an error with the code ETIMEDOUT when it
 * takes too long, or when all threads are held by calls that did; what it would have given is then dropped by `late` */
export type FsTimeout = <T>(call: () => Promise<T>, late?: (result: T) => void) => Promise<T>;

export function createFsTimeout({ limitMs = 10_000, parallel = 3 }: FsTimeoutOptions = {}): FsTimeout {
  let free = parallel;
  let held = 0;
  const waiting: { start: () => void; giveUp: (error: Error) => void }[] = [];
  const timedOut = () =>
    Object.assign(new Error(`ETIMEDOUT: the file system did not answer in ${limitMs} ms`), { code: "ETIMEDOUT" });

  async function slot(): Promise<void> {
    if (held >= parallel) throw timedOut();
    if (free > 0) free -= 1;
    else await new Promise<void>((start, giveUp) => waiting.push({ start, giveUp }));
  }
  function leave(): void {
    const next = waiting.shift();
    if (next) next.start();
    else free += 1;
  }

  return async (call, late = () => {}) => {
    await slot();
    let outcome: "waiting" | "ended" | "held" = "waiting";
    const running = call();
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        outcome = "held";
        held += 1;
        if (held >= parallel) for (const { giveUp } of waiting.splice(0)) giveUp(timedOut());
        reject(timedOut());
      }, limitMs);
      const end = (settle: () => void) => {
        clearTimeout(timer);
        if (outcome === "held") held -= 1;
        outcome = "ended";
        leave();
        settle();
      };
      running.then(
        (result) => end(outcome === "held" ? () => late(result) : () => resolve(result)),
        (error: unknown) => end(() => reject(error)),
      );
    });
  };
}

/** The one for this process, as its threads are. */
export const withFsTimeout = createFsTimeout();
