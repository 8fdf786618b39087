/** The store: the domain's port over one SQLite file, shared by every process that is given the same directory. */
import { join } from "node:path";
import type { EntityManager } from "@mikro-orm/sqlite";
import { DomainError } from "../domain/error.ts";
import type { Retention, Store } from "../domain/ports/store.ts";
import { changesOf } from "./changes.ts";
import { claimsIn } from "./claim.ts";
import { confirmationsIn } from "./confirmation.ts";
import { copiesOf } from "./copy.ts";
import { type Database, openDatabase } from "./database.ts";
import { deliveriesIn } from "./deliveries.ts";
import { SettingRow } from "./entities.ts";
import { historyIn } from "./history.ts";
import { holderIn } from "./holder.ts";
import { journalIn } from "./journal.ts";
import { leasesIn } from "./leases.ts";
import type { Upgrade } from "./migrations/20261123-old-vms.ts";
import { recordsIn } from "./records.ts";
import { releasesIn } from "./release.ts";
import { pruneKeys, requestKeysIn } from "./request-keys.ts";
import { defaultRetention, retentionIn } from "./retention.ts";
import { sightingsIn } from "./sightings.ts";

export type { Upgrade } from "./migrations/20261123-old-vms.ts";

export type StoreOptions = Readonly<{
  /** Holds the database and everything beside it; created for the owner alone. */
  directory: string;
  /** Where the disks of VMs are that an older program made. */
  imageDirectory: string;
  /** The connection that an older program's VMs belong to. */
  connection: string;
  now?: () => Date;
  newId: () => string;
  /** How long another process may keep the database locked before that is an error. */
  lockWaitMs?: number;
  /** How much history stays when the store prunes by itself. */
  retention?: Retention;
}>;

export type OpenStore = Store &
  Readonly<{
    /** Copies the database to this path, which must not exist yet.
     * @throws DomainError INPUT_INVALID for a path that is not absolute, exists or has no directory, STORE_UNAVAILABLE */
    backupTo(path: string): Promise<void>;
    /** What became of the rows of an older program, if this database was one's. */
    upgrade(): Promise<Upgrade | undefined>;
  }>;

/** @throws DomainError STORE_LOCKED, STORE_READ_ONLY, STORE_TOO_NEW, STORE_CORRUPT, STORE_UNAVAILABLE */
export async function openStore(options: StoreOptions): Promise<OpenStore> {
  const { directory, imageDirectory, connection, newId, now = () => new Date(), lockWaitMs = 5000 } = options;
  const opened = await openDatabase(directory, { connection, imageDirectory, now }, lockWaitMs);
  const holder = holderIn(join(directory, "holders"), newId());
  const releases = releasesIn(opened, holder.id);
  const changes = changesOf(opened.path, () => opened.read(versionOf));
  const database = around(opened, releases.retry, changes.tell);
  const retention = retentionIn(database, options.retention ?? defaultRetention, now, () =>
    pruneKeys(database, holder),
  );
  const { claim, leaveAll } = claimsIn(database, holder, releases, now);
  const { endLeases, ...leases } = leasesIn(database, holder);
  let closed: Promise<void> | undefined;

  /** The holder's file goes last: without it, a claim whose row could not be removed is a dead process's. */
  const close = async (): Promise<void> => {
    changes.close();
    await Promise.all([retention.close(), releases.close()]);
    try {
      if (holder.isHeld()) await Promise.all([leaveAll(), endLeases()]);
    } catch (error) {
      if (!(error instanceof DomainError)) throw error;
    } finally {
      await database.close();
      holder.close();
    }
  };

  return {
    ...recordsIn(database),
    ...journalIn(database, holder, retention, now),
    ...historyIn(database),
    ...sightingsIn(database, holder, retention.appended),
    ...leases,
    ...deliveriesIn(database, now),
    ...confirmationsIn(database, now),
    ...requestKeysIn(database, holder, now),
    ...copiesOf(database, holder, join(directory, "backups"), newId, now),
    claim,
    onChange: changes.on,
    prune: retention.prune,
    upgrade: async () => {
      const row = await database.read((em) => em.findOne(SettingRow, { key: "upgrade" }));
      return row ? (row.value as Upgrade) : undefined;
    },
    close: () => (closed ??= close()),
  };
}

const versionOf = async (em: EntityManager): Promise<unknown> => {
  const [row] = await em.getConnection().execute<{ data_version: number }[]>("pragma data_version");
  return row?.data_version;
};

/** The database, with something to do before it is asked anything, and after it was written. */
const around = (database: Database, before: () => void, written: () => void): Database => ({
  ...database,
  read: (work) => {
    before();
    return database.read(work);
  },
  async write(work) {
    before();
    const result = await database.write(work);
    written();
    return result;
  },
});
