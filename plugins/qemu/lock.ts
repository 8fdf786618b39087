/** One writer at a time, across all processes that share a directory of VMs. */
import { closeSync, mkdirSync, openSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";

/** Time limit for a lock, in milliseconds: starting a VM is the longest work under one. */
const WAIT_MS = 60_000;
const RETRY_MS = 5;

/** The lock for naming VMs; it is taken before a VM's own lock. */
export const NAMES = "names";

/** Runs the work while no other process runs any under a lock of the same name. The lock is an SQLite transaction on an
 * empty file, which the operating system ends with the process, however it ends: a mere lock file would outlive a
 * killed process, and its pid could be reused. A UUID's first digit names its lock, so there are sixteen files for all
 * VMs, and none has to be removed while a process waits for it.
 * @throws Error when other processes hold it for too long; the signal's reason */
export async function withLock<T>(
  directory: string,
  name: string,
  signal: AbortSignal | undefined,
  work: () => Promise<T>,
): Promise<T> {
  const path = join(directory, "locks", name === NAMES ? name : name.slice(0, 1));
  mkdirSync(join(directory, "locks"), { recursive: true, mode: 0o700 });
  for (const until = Date.now() + WAIT_MS; ; ) {
    signal?.throwIfAborted();
    const lock = lockNow(path);
    if (lock) {
      try {
        return await work();
      } finally {
        lock.close();
      }
    }
    if (Date.now() >= until) throw new Error(`another process has held ${path} for ${WAIT_MS / 1000} s`);
    await sleep(RETRY_MS, undefined, signal && { signal });
  }
}

const SQLITE_BUSY = 5;

function lockNow(path: string): DatabaseSync | undefined {
  createFile(path);
  const database = new DatabaseSync(path);
  try {
    // Deno waits five seconds without this pragma.
    database.exec("pragma busy_timeout = 0");
    // Otherwise even a transaction without writes makes a journal beside the file.
    database.exec("pragma journal_mode = memory");
    database.exec("begin exclusive");
    return database;
  } catch (error) {
    database.close();
    if ((error as { errcode?: number }).errcode === SQLITE_BUSY || /locked/.test(String(error))) return undefined;
    throw error;
  }
}

/** Creates the file unless it exists. It does not open an existing one: closing a second descriptor of a database file
 * would drop this process's lock on it. */
function createFile(path: string): void {
  try {
    closeSync(openSync(path, "wx", 0o600));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
}
