// Durable commits without anything around them: counted in a database's write-ahead log, and made again by bare SQL.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

const PAGE_BYTES = 4096;

/** How many pages each commit wrote that the log holds; https://www.sqlite.org/walformat.html. */
export function commitsIn(databasePath: string): number[] {
  const log = readFileSync(`${databasePath}-wal`);
  const salt = log.subarray(16, 24);
  const commits: number[] = [];
  let pages = 0;
  for (let at = 32; at + 24 + PAGE_BYTES <= log.length; at += 24 + PAGE_BYTES) {
    // What is left of an earlier round through the same file.
    if (!log.subarray(at + 8, at + 16).equals(salt)) break;
    pages += 1;
    // A commit's last frame says how large the database is now.
    if (log.readUInt32BE(at + 4) === 0) continue;
    commits.push(pages);
    pages = 0;
  }
  return commits;
}

/** Makes commits of these sizes, in WAL mode, each synced to the disk. */
export function openBareCommits(directory: string): { commit: (pages: readonly number[]) => void; close: () => void } {
  const database = new DatabaseSync(join(directory, "bare.sqlite"));
  database.exec(
    "pragma journal_mode = wal; pragma synchronous = full; create table t (id integer primary key, b blob)",
  );
  const put = database.prepare("insert or replace into t values (?, ?)");
  return {
    commit(sizes) {
      for (const [id, pages] of sizes.entries()) {
        database.exec("begin immediate");
        put.run(id, new Uint8Array(Math.max(100, (pages - 1) * (PAGE_BYTES - 100))));
        database.exec("commit");
      }
    },
    close: () => database.close(),
  };
}
