/** A mutex for each key within this process: first come, first served. */

/** Ends a turn. */
export type Unlock = () => void;

export class KeyedMutex {
  readonly #last = new Map<string, Promise<void>>();
  readonly #waiting = new Map<string, number>();

  /** The number of callers that wait for their turn. */
  waitingFor(key: string): number {
    return this.#waiting.get(key) ?? 0;
  }

  /** Resolves at the caller's turn, or with `undefined` when the time is up.
   * @throws the signal's reason */
  async lock(key: string, waitMs: number, signal?: AbortSignal): Promise<Unlock | undefined> {
    signal?.throwIfAborted();
    const before = this.#last.get(key);
    const { promise, resolve: end } = Promise.withResolvers<void>();
    // A caller that gives up ends its turn at once; the next one still waits for those before.
    const last = Promise.all([before, promise]).then(() => {
      if (this.#last.get(key) === last) this.#last.delete(key);
    });
    this.#last.set(key, last);
    if (!before) return end;
    this.#waiting.set(key, this.waitingFor(key) + 1);
    try {
      if (await within(before, waitMs, signal)) return end;
    } catch (error) {
      end();
      throw error;
    } finally {
      const left = this.waitingFor(key) - 1;
      if (left > 0) this.#waiting.set(key, left);
      else this.#waiting.delete(key);
    }
    end();
    return undefined;
  }
}

/** Whether the promise resolved in time. */
async function within(promise: Promise<void>, waitMs: number, signal?: AbortSignal): Promise<boolean> {
  const { promise: ended, resolve, reject } = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => resolve(false), waitMs);
  const abort = () => reject(signal?.reason);
  signal?.addEventListener("abort", abort, { once: true });
  promise.then(() => resolve(true), reject);
  try {
    return await ended;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", abort);
  }
}
