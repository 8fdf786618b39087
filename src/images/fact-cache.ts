/** A cache of facts about files. A fact is kept while its file is unchanged; simultaneous callers share one look. */

export type FactCacheOptions = Readonly<{
  /** Number of kept facts; the least recently used are dropped first. */
  entriesMax?: number;
  /** Facts of a file that changed less than this many milliseconds ago are not kept: it could change again without a
   * new time (ticks of 4 ms, on Deno and some file systems whole seconds). */
  settleMs?: number;
  now?: () => number;
}>;

/** `text` differs between any two distinguishable states of the file. */
export type Version = Readonly<{ text: string; changedAtMs: number }>;

export type FactCache<T> = Readonly<{
  /** Returns the kept facts of `key` in this version, or those that `look` finds. A caller's abort ends the look if no
   * other caller waits for it. */
  get(key: string, version: Version, look: (signal: AbortSignal) => Promise<T>, signal?: AbortSignal): Promise<T>;
}>;

type Flight<T> = { result: Promise<T>; waiters: number; controller: AbortController };

export function createFactCache<T>(options: FactCacheOptions = {}): FactCache<T> {
  const { entriesMax = 512, settleMs = 2_000, now = Date.now } = options;
  const kept = new Map<string, { version: string; facts: T }>();
  const flights = new Map<string, Flight<T>>();

  function keep(key: string, version: string, facts: T) {
    kept.delete(key);
    kept.set(key, { version, facts });
    for (const oldest of kept.keys()) {
      if (kept.size <= entriesMax) break;
      kept.delete(oldest);
    }
  }

  function takeOff(key: string, version: Version, look: (signal: AbortSignal) => Promise<T>): Flight<T> {
    const name = `${key}\0${version.text}`;
    const controller = new AbortController();
    const settled = now() - version.changedAtMs > settleMs;
    const result = look(controller.signal).then((facts) => {
      if (settled) keep(key, version.text, facts);
      return facts;
    });
    const flight = { result, waiters: 0, controller };
    flights.set(name, flight);
    const land = () => {
      if (flights.get(name) === flight) flights.delete(name);
    };
    result.then(land, land);
    controller.signal.addEventListener("abort", land);
    return flight;
  }

  return {
    async get(key, version, look, signal) {
      signal?.throwIfAborted();
      const hit = kept.get(key);
      if (hit?.version === version.text) {
        keep(key, hit.version, hit.facts);
        return hit.facts;
      }
      const flight = flights.get(`${key}\0${version.text}`) ?? takeOff(key, version, look);
      flight.waiters += 1;
      let stop = () => {};
      const stopped = new Promise<never>((_, reject) => {
        stop = () => reject(signal?.reason);
        signal?.addEventListener("abort", stop);
      });
      try {
        return await Promise.race([flight.result, stopped]);
      } finally {
        signal?.removeEventListener("abort", stop);
        flight.waiters -= 1;
        // Aborting a look that has ended does nothing.
        if (flight.waiters === 0) flight.controller.abort(signal?.reason);
      }
    },
  };
}
