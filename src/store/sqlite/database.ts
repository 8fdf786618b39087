/** Opens the one database file, and sets its modes, durability and schema. */
import { accessSync, chmodSync, constants, mkdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { MikroORM, SqliteDriver } from "@mikro-orm/sqlite";
import { DomainError } from "../../domain/error.ts";
import { entities } from "../entities.ts";
import type { Database } from "../ports.ts";
import { retryBusy } from "./busy-retry.ts";
import { StoreDialect } from "./dialect.ts";
import { guardFileIdentity } from "./file-identity.ts";
import { createFile } from "./lock.ts";
import { migrate } from "./migrate.ts";
import type { OldVmDefaults } from "./migrations/20261123-old-vms.ts";
import { asDomainError } from "./sqlite-errors.ts";

/** How long SQLite itself waits for a lock, which blocks this process; longer waits use `retryBusy`. */
const blockedMsMax = 50;

/** The size of the write-ahead log after a checkpoint, in bytes; a large transaction makes it longer for a while. */
const logBytesMax = 4 * 2 ** 20;

/** The database with the path of its file. It waits for other processes at most `lockWaitMs` milliseconds, and then
 * fails with STORE_LOCKED. */
export type SqliteDatabase = Database & Readonly<{ path: string }>;

/** @throws DomainError STORE_LOCKED, STORE_READ_ONLY, STORE_TOO_NEW, STORE_CORRUPT, STORE_UNAVAILABLE */
export async function openDatabase(
  directory: string,
  defaults: OldVmDefaults,
  lockWaitMs: number,
): Promise<SqliteDatabase> {
  const path = join(directory, "bootwright.sqlite");
  const guarded = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await retryBusy(lockWaitMs, work);
    } catch (error) {
      throw asDomainError(error, path);
    }
  };
  const orm = await guarded(async () => {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    if (!createFile(path)) refuseReadOnly(path, directory);
    return connect(path, defaults);
  });
  const refuseMoved = guardFileIdentity(path);
  // There is one connection, and every statement between a transaction's beginning and end is part of it.
  let last: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const mine = last.then(work);
    last = mine.catch(() => undefined);
    return mine;
  };
  let hasClosed = false;
  const inPlace = async <T>(work: () => Promise<T>): Promise<T> => {
    // MikroORM would connect anew, without what `prepare` set.
    if (hasClosed) throw new DomainError("STORE_UNAVAILABLE", { path, reason: "this process has closed it" });
    refuseMoved();
    const result = await work();
    refuseMoved();
    return result;
  };
  return {
    path,
    read: (work) => guarded(() => inTurn(() => inPlace(() => work(orm.em.fork())))),
    write: (work) => guarded(() => inTurn(() => inPlace(() => orm.em.fork().transactional(work)))),
    close: () =>
      inTurn(() => {
        hasClosed = true;
        return orm.close();
      }),
  };
}

async function connect(path: string, defaults: OldVmDefaults): Promise<MikroORM> {
  const orm = new MikroORM({
    driver: SqliteDriver,
    dbName: path,
    driverOptions: new StoreDialect(path),
    entities,
    metadataCache: { enabled: false },
    // Standard output belongs to the MCP protocol.
    logger: (message) => process.stderr.write(`${message}\n`),
    colors: false,
    debug: false,
  });
  try {
    await orm.connect();
    await prepare(orm, path, defaults);
    return orm;
  } catch (error) {
    await orm.close();
    throw error;
  }
}

/** Prepares the connection. It writes nothing before `migrate` has checked that the database is Bootwright's and not
 * newer. */
async function prepare(orm: MikroORM, path: string, defaults: OldVmDefaults): Promise<void> {
  const run = (sql: string) => orm.em.getConnection().execute<Record<string, unknown>[]>(sql);
  await run(`pragma busy_timeout = ${blockedMsMax}`);
  await run("pragma foreign_keys = on");
  // A confirmed commit must survive a loss of power: in WAL mode only FULL syncs at every commit.
  await run("pragma synchronous = full");
  await migrate(orm, path, defaults);
  // A database that was put back from a copy has no log; one that has it stays as it is.
  await run("pragma journal_mode = wal");
  await run(`pragma journal_size_limit = ${logBytesMax}`);
  // Takes the write lock once, so that a read-only file is refused now and not in the middle of an operation.
  await run("begin immediate");
  await run("rollback");
  for (const file of [path, `${path}-wal`, `${path}-shm`]) {
    const mode = statSync(file, { throwIfNoEntry: false })?.mode;
    if (mode !== undefined && (mode & 0o077) !== 0) chmodSync(file, 0o600);
  }
}

/** Checks write permission before SQLite, which would open the file read-only and fail only later. The directory
 * counts, too, since the journals are files beside the database. */
function refuseReadOnly(path: string, directory: string): void {
  try {
    accessSync(path, constants.R_OK | constants.W_OK);
    accessSync(directory, constants.W_OK | constants.X_OK);
  } catch (error) {
    const { code } = error as { code?: unknown };
    if (code === "EACCES" || code === "EROFS" || code === "EPERM") throw new DomainError("STORE_READ_ONLY", { path });
    // Deno needs the permission to read the user's number for this. Without it SQLite's own error has to suffice.
  }
}
