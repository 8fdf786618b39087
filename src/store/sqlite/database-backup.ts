/** Copies a snapshot of the whole database into a file of its own. */
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { dirname, isAbsolute, join } from "node:path";
import { DomainError } from "../../domain/error.ts";
import type { DatabaseCopy } from "../../domain/ports/store.ts";
import { livingOf } from "../living.ts";
import type { Liveness } from "../ports.ts";
import type { SqliteDatabase } from "./database.ts";
import { createFile } from "./lock.ts";
import { asDomainError } from "./sqlite-errors.ts";

const KEPT_MAX = 10;
const copyName = /^bootwright-.*\.sqlite$/;
/** A copy in progress: its final name, and its maker. */
const partialName = /^(bootwright-.*\.sqlite)\.([\w-]+)(?:\.[\w-]+)?\.partial$/;

export const createDatabaseBackup = (
  database: SqliteDatabase,
  liveness: Liveness,
  backups: string,
  newId: () => string,
  now: () => Date,
) => ({
  async copy(): Promise<DatabaseCopy> {
    await liveness.hold();
    mkdirSync(backups, { recursive: true, mode: 0o700 });
    await removeBegun(backups, liveness);
    const moment = now().toISOString().replaceAll(":", "-");
    const path = join(backups, `bootwright-${moment}-${newId().slice(0, 8)}.sqlite`);
    await copyTo(database, path, `${liveness.id}.${newId()}`);
    const copies = readdirSync(backups).filter((name) => copyName.test(name) && !isEmpty(join(backups, name)));
    const removed = copies
      .sort()
      .slice(0, -KEPT_MAX)
      .map((name) => join(backups, name));
    for (const old of removed) rmSync(old, { force: true });
    return { path, bytes: statSync(path).size, removed };
  },
});

/** Removes the remains of processes that ended during a copy: the partial file, and the empty one that reserved its
 * name. */
async function removeBegun(backups: string, liveness: Liveness): Promise<void> {
  const names = readdirSync(backups);
  const begun = names.map((name) => partialName.exec(name)).filter((match) => match !== null);
  const living = await livingOf(
    liveness,
    begun.map(([, , holder]) => ({ holder: holder! })),
  );
  const underWay = new Set(begun.filter(([, , holder]) => living.has(holder!)).map(([, copy]) => copy!));
  const ended = begun.filter(([, copy]) => !underWay.has(copy!)).map(([name]) => name);
  const empty = names.filter((name) => copyName.test(name) && !underWay.has(name) && isEmpty(join(backups, name)));
  for (const name of [...ended, ...empty]) rmSync(join(backups, name), { force: true });
}

const isEmpty = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.size === 0;

/** Copies the database to a path that does not exist yet; `id` distinguishes this copy from any other.
 * @throws DomainError INPUT_INVALID for a path that is not absolute, exists or has no directory, STORE_UNAVAILABLE */
export async function copyTo(database: SqliteDatabase, path: string, id: string): Promise<void> {
  if (!isAbsolute(path) || path.includes("\0")) refuse(`"${path}" is not an absolute path`);
  if (!statSync(dirname(path), { throwIfNoEntry: false })?.isDirectory())
    refuse(`"${dirname(path)}" is not a directory`);
  const partial = `${path}.${id}.partial`;
  let reserved = false;
  try {
    // The partial file comes first, so that an empty file with a copy's name is known to belong to a copy under way.
    createFile(partial);
    // Reserves the name, so that no other program's file is ever overwritten.
    reserved = createFile(path);
    if (!reserved) refuse(`"${path}" exists, and Bootwright never overwrites a file`);
    // "vacuum into" leaves out deleted data that is still in the file; SQLite's backup API would copy it.
    await database.read(async (em) => {
      rmSync(partial, { force: true });
      createFile(partial);
      await em.execute("vacuum into ?", [partial]);
    });
    sync(partial);
    renameSync(partial, path);
    sync(dirname(path));
  } catch (error) {
    rmSync(partial, { force: true });
    if (reserved) rmSync(path, { force: true });
    throw refusalOfCopy(error, path, database.path);
  }
}

function refuse(reason: string): never {
  throw new DomainError("INPUT_INVALID", { issues: [`path: ${reason}`] });
}

/** Names the copy's path for a fault of the copy, and the database's for a fault of the database. The kind of SQLite's
 * error shows which, since a copy only reads the database and only writes the copy. */
function refusalOfCopy(error: unknown, path: string, source: string): unknown {
  const refusal = error instanceof DomainError ? error : asDomainError(error, path);
  if (!(refusal instanceof DomainError) || refusal.code !== "STORE_UNAVAILABLE") return refusal;
  if (!existsSync(source)) return refusal;
  const { reason } = refusal.details as { reason: string };
  return new DomainError("STORE_UNAVAILABLE", { path, reason: `the copy was not made: ${reason}` }, { cause: error });
}

function sync(path: string): void {
  const descriptor = openSync(path, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
