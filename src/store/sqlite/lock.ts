/** An exclusive lock between processes that ends with the process: an SQLite transaction on a file of its own. */
import { closeSync, openSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { retryBusy } from "./busy-retry.ts";

/** Runs the work while no other process runs any under the same lock file. The file stays, empty. */
export async function withLock<T>(lockPath: string, waitMs: number, work: () => Promise<T>): Promise<T> {
  createFile(lockPath);
  const lock = await retryBusy(waitMs, async () => lockExclusively(lockPath));
  try {
    return await work();
  } finally {
    lock.close();
  }
}

/** Locks an empty file until the database is closed or the process ends; fails at once if another process has the
 * lock. */
export function lockExclusively(path: string): DatabaseSync {
  const database = new DatabaseSync(path);
  try {
    failAtOnce(database);
    // Otherwise even a transaction without writes makes a journal beside the file, which stays if the process dies.
    database.exec("pragma journal_mode = memory");
    database.exec("begin exclusive");
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/** Makes a lock of another process an error without a wait. Node does that by default; Deno waits five seconds and
 * ignores the option, so it needs the pragma. */
export const failAtOnce = (database: DatabaseSync): void => database.exec("pragma busy_timeout = 0");

/** Creates an empty file that only the owner may read, unless it exists. It does not open an existing file: closing a
 * second descriptor of a database file would drop every lock that this process holds on it. */
export function createFile(path: string): boolean {
  try {
    closeSync(openSync(path, "wx", 0o600));
    return true;
  } catch (error) {
    if ((error as { code?: unknown }).code !== "EEXIST") throw error;
    return false;
  }
}
