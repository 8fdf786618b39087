/** Whether the files that a connection has open are still the ones at their paths. Deleting or replacing an open database
 * is no error to SQLite: it would go on writing into a file that nobody will ever read again. */
import { statSync } from "node:fs";
import { basename } from "node:path";
import { DomainError } from "../../domain/error.ts";

/** Remembers the files of an open database, and gives the check of them. An inode that is open is not given to another
 * file, so the same number means the same file.
 * @throws DomainError STORE_UNAVAILABLE (the check) */
export function guardFileIdentity(path: string): () => void {
  // The log and its index count: what is committed goes there first.
  const files = [path, `${path}-wal`, `${path}-shm`].map((file) => ({ file, identity: fileIdentity(file) }));
  return () => {
    for (const { file, identity } of files) {
      const now = fileIdentity(file);
      if (identity === undefined || now === identity) continue;
      const what = now === undefined ? "deleted" : "replaced by another file";
      const reason = `"${basename(file)}" was ${what} while this process had it open; put it back, or start Bootwright again`;
      throw new DomainError("STORE_UNAVAILABLE", { path, reason });
    }
  };
}

export function fileIdentity(file: string): string | undefined {
  const stat = statSync(file, { throwIfNoEntry: false });
  return stat && `${stat.dev}:${stat.ino}`;
}
