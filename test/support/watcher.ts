// The hints of a backend, in order, for tests that wait for one.

import type { Backend } from "../../src/domain/ports/backend.ts";
import type { Hint } from "../../src/domain/ports/backend-groups.ts";

const HINT_MS = 100_000;

export type Watcher = Readonly<{
  hints: readonly Hint[];
  /** Waits for a hint after this place that fits. @throws Error with the hints that came instead, after `timeoutMs` */
  waitForHint(fits: (hint: Hint) => boolean, after?: number, timeoutMs?: number): Promise<Hint>;
  /** Does something, and waits for the next hint on this VM. */
  hintOf(uuid: string, work: () => Promise<unknown>): Promise<Hint>;
  /** How the watching ended. */
  ended: Promise<void>;
  stop(): Promise<void>;
}>;

/** Watches a backend that can be watched, and waits until it listens. */
export async function watcherOf(backend: Pick<Backend, "events">): Promise<Watcher> {
  if (!backend.events) throw new Error("this backend cannot be watched");
  const hints: Hint[] = [];
  const waiting = new Set<() => void>();
  const ending = new AbortController();
  const ended = backend.events.watch((hint) => {
    hints.push(hint);
    for (const look of waiting) look();
  }, ending.signal);
  ended.catch(() => undefined);
  const waitForHint: Watcher["waitForHint"] = (fits, after = 0, timeoutMs = HINT_MS) =>
    new Promise((resolve, reject) => {
      const settle = (end: () => void) => {
        waiting.delete(look);
        clearTimeout(timer);
        end();
      };
      const look = () => {
        const found = hints.slice(after).find(fits);
        if (found) settle(() => resolve(found));
      };
      const timer = setTimeout(
        () =>
          settle(() => reject(new Error(`No such hint in ${timeoutMs} ms, but ${JSON.stringify(hints.slice(after))}`))),
        timeoutMs,
      );
      waiting.add(look);
      look();
    });
  const watcher: Watcher = {
    hints,
    waitForHint,
    ended,
    async hintOf(uuid, work) {
      const after = hints.length;
      await work();
      return waitForHint((hint) => hint.uuid === uuid, after);
    },
    async stop() {
      ending.abort();
      await ended;
    },
  };
  await Promise.race([waitForHint(() => true), ended]);
  return watcher;
}
