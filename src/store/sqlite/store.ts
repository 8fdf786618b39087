/** The store on one SQLite file, which all processes with the same directory share. */
import { join } from "node:path";
import type { DatabaseBackup, Store } from "../../domain/ports/store.ts";
import type { SqlSession } from "../ports.ts";
import { createStore, type StoreOptions } from "../store.ts";
import { createChangeNotifier } from "./change-notifier.ts";
import { openDatabase } from "./database.ts";
import { createDatabaseBackup } from "./database-backup.ts";
import { createProcessLiveness } from "./process-liveness.ts";

export type SqliteStoreOptions = StoreOptions &
  Readonly<{
    /** The directory of the database and its companion files; created with access only for the owner. */
    directory: string;
    /** The directory of the disks of VMs that an older program made. */
    imageDirectory: string;
    /** The connection of an older program's VMs. */
    connection: string;
    newId: () => string;
    /** How long another process may lock the database before that is an error, in milliseconds. */
    lockWaitMs?: number;
  }>;

export type SqliteStore = Store & Readonly<{ backup: DatabaseBackup }>;

/** @throws DomainError STORE_LOCKED, STORE_READ_ONLY, STORE_TOO_NEW, STORE_CORRUPT, STORE_UNAVAILABLE */
export async function openSqliteStore(options: SqliteStoreOptions): Promise<SqliteStore> {
  const { directory, newId, now = () => new Date() } = options;
  const ports = await openSqlitePorts(options);
  const backup = createDatabaseBackup(ports.database, ports.liveness, join(directory, "backups"), newId, now);
  return { ...createStore(ports, options), backup };
}

/** The store's ports for one process.
 * @throws DomainError as `openSqliteStore` */
export async function openSqlitePorts(options: SqliteStoreOptions) {
  const { directory, imageDirectory, connection, newId, now = () => new Date(), lockWaitMs = 5000 } = options;
  const database = await openDatabase(directory, { connection, imageDirectory, now }, lockWaitMs);
  const liveness = createProcessLiveness(join(directory, "holders"), newId());
  const changes = createChangeNotifier(database.path, () => database.read(versionOf));
  return { database, liveness, changes };
}

const versionOf = async (em: SqlSession): Promise<unknown> => {
  const [row] = await em.execute<{ data_version: number }[]>("pragma data_version");
  return row?.data_version;
};
