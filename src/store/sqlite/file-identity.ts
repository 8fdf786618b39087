/** Checks that a connection's open files are still the ones at their paths. SQLite does not notice that an open
 * database was deleted or replaced, and would continue to write into a lost file. */
import { statSync } from "node:fs";
import { basename } from "node:path";
import { DomainError } from "../../domain/error.ts";

/** Remembers the files of an open database, and returns a function that checks them. An open inode's number is not
 * reused, so the same number means the same file.
 * @throws DomainError STORE_UNAVAILABLE (the check) */
export function guardFileIdentity(path: string): () => void {
  // The log and its index count, too, since commits go there first.
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
