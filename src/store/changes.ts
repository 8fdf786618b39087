/** That something may have been written: by this process, which knows it, or by another, whose commits go through the
 * write-ahead log, a file that can be watched. Nobody may rely on being called: a look now and then is the caller's. */
import { type FSWatcher, watch } from "node:fs";
import { basename, dirname } from "node:path";

export function changesOf(path: string) {
  const listeners = new Set<() => void>();
  const log = `${basename(path)}-wal`;
  let watcher: FSWatcher | undefined;
  let due = false;

  /** Many writes of one moment are told once, when they are all there to be read. */
  const tell = (): void => {
    if (due || listeners.size === 0) return;
    due = true;
    setImmediate(() => {
      due = false;
      for (const listener of [...listeners]) listener();
    });
  };

  const close = (): void => {
    watcher?.close();
    watcher = undefined;
  };

  const open = (): void => {
    try {
      watcher = watch(dirname(path), { persistent: false }, (_event, name) => {
        if (name === null || name === log) tell();
      });
      watcher.on("error", close);
    } catch {
      // A directory that cannot be watched (too many watches, no permission) is looked at now and then all the same.
    }
  };

  return {
    tell,

    on(listener: () => void): () => void {
      listeners.add(listener);
      if (!watcher) open();
      return () => {
        listeners.delete(listener);
        if (listeners.size === 0) close();
      };
    },

    close(): void {
      listeners.clear();
      close();
    },
  };
}
