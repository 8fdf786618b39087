/** That something may have been written: by this process, which knows it, or by another, whose commits go through the
 * write-ahead log, a file that can be watched. Nobody may rely on being called: a look now and then is the caller's. */
import { type FSWatcher, watch } from "node:fs";
import { basename, dirname } from "node:path";
import { setTimeout as after } from "node:timers/promises";
import type { ChangeFeed } from "../ports.ts";

/** When to look for a commit after its log was seen to change: it can be read only once it is on disk, and by that time
 * nothing changes the log any more. A disk takes some milliseconds, a busy one longer. */
const LOOKS_MS: readonly number[] = [1, 2, ...Array(20).fill(5), ...Array(10).fill(20), 100, 200, 400];
/** After a write of this process's own, which changed the log as well, hardly anything is left to be looked for. */
const LAST_LOOKS = LOOKS_MS.length - 4;

/** `version` is another one after each commit of another process, and only then. */
export function createChangeNotifier(path: string, version: () => Promise<unknown>): ChangeFeed {
  const listeners = new Set<() => void>();
  const log = `${basename(path)}-wal`;
  let watcher: FSWatcher | undefined;
  let due = false;
  let looks = LOOKS_MS.length;
  let known: unknown;

  /** Many writes of one moment are told once, when they are all there to be read. */
  const callListeners = (): void => {
    if (due || listeners.size === 0) return;
    due = true;
    setImmediate(() => {
      due = false;
      for (const listener of [...listeners]) listener();
    });
  };

  const look = async (): Promise<void> => {
    const isLooking = looks < LOOKS_MS.length;
    looks = 0;
    if (isLooking) return;
    while (watcher && looks < LOOKS_MS.length) {
      const isFirst = looks === 0;
      await after(LOOKS_MS[looks++], undefined, { ref: false });
      const now = await version().catch(() => known);
      if (now === known) continue;
      known = now;
      callListeners();
      // One process writes at a time. What the first look finds may be the commit before the one that is looked for.
      if (!isFirst && looks > 1) break;
    }
    looks = LOOKS_MS.length;
  };

  const close = (): void => {
    watcher?.close();
    watcher = undefined;
  };

  const open = (): void => {
    try {
      watcher = watch(dirname(path), { persistent: false }, (_event, name) => {
        if (name === null || name === log) void look();
      });
      watcher.on("error", close);
    } catch {
      // A directory that cannot be watched (too many watches, no permission) is looked at now and then all the same.
    }
  };

  return {
    notify(): void {
      if (looks < LAST_LOOKS) looks = LAST_LOOKS;
      callListeners();
    },

    subscribe(listener: () => void): () => void {
      listeners.add(listener);
      if (!watcher) open();
      return () => {
        listeners.delete(listener);
        if (listeners.size === 0) close();
      };
    },

    async close(): Promise<void> {
      listeners.clear();
      close();
    },
  };
}
