/** A time limit for file system calls. A network mount whose server is gone never answers. Each waiting call holds one
 * of this process's four threads for files; with all four held, it serves no request. */

export type FsTimeoutOptions = Readonly<{
  /** Time limit of one system call, in milliseconds. */
  limitMs?: number;
  /** The number of calls at once, which is also the number of threads that can be held for ever. */
  parallel?: number;
}>;

/** Runs one file system call within the time limit. `late` disposes of a result that comes after it.
 * @throws the call's error; an error with the code ETIMEDOUT when the call takes too long, or when such calls hold all
 * threads */
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

/** One limit for the whole process, since its threads are shared. */
export const withFsTimeout = createFsTimeout();
