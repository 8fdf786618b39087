/** Notifies of possible writes: by this process, which reports them, and by others, whose commits go through the
 * write-ahead log, a file that can be watched. A call may be missed, so callers must poll as well. */
import { type FSWatcher, watch } from "node:fs";
import { basename, dirname } from "node:path";
import { setTimeout as after } from "node:timers/promises";
import type { ChangeFeed } from "../ports.ts";

/** Pauses before each look for a commit after a change of the log. A commit is readable only once it is on disk, and
 * the log does not change again at that moment. A disk takes some milliseconds, a busy one longer. */
const LOOKS_MS: readonly number[] = [1, 2, ...Array(20).fill(5), ...Array(10).fill(20), 100, 200, 400];
/** The looks that remain after this process's own write, which changed the log as well. */
const LAST_LOOKS = LOOKS_MS.length - 4;

/** `version` returns a new value after each commit of another process, and only then. */
export function createChangeNotifier(path: string, version: () => Promise<unknown>): ChangeFeed {
  const listeners = new Set<() => void>();
  const log = `${basename(path)}-wal`;
  let watcher: FSWatcher | undefined;
  let due = false;
  let looks = LOOKS_MS.length;
  let known: unknown;

  /** Calls the listeners once for many writes of one moment, when all of them can be read. */
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
      // One process writes at a time, so the first look may find the previous commit.
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
      // Without a watch (too many watches, no permission) the callers' polling remains.
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
