/** The store: implements the domain's port on a database, the liveness of processes, and a feed of changes. */
import { DomainError } from "../domain/error.ts";
import type { Store } from "../domain/ports/store.ts";
import { createClaimReleases } from "./claim-release.ts";
import { createClaimStore } from "./claims.ts";
import { createConfirmationStore } from "./confirmations.ts";
import { createDeliveryStore } from "./deliveries.ts";
import { createEventStore } from "./events.ts";
import { createJobStore } from "./jobs.ts";
import { createLeaseStore } from "./leases.ts";
import { createOperationHistory } from "./operation-history.ts";
import { createOperationStore } from "./operations.ts";
import type { ChangeFeed, Database, Liveness } from "./ports.ts";
import { createRecordStore } from "./records.ts";
import { createReportedStateStore } from "./reported-states.ts";
import { createRequestKeyStore, pruneKeys } from "./request-keys.ts";
import { createRetention, defaultRetention, type Retention } from "./retention.ts";

/** The ports of a store. The store closes them when it is closed. */
export type StorePorts = Readonly<{ database: Database; liveness: Liveness; changes: ChangeFeed }>;

export type StoreOptions = Readonly<{
  now?: () => Date;
  /** How much history stays when the store prunes automatically. */
  retention?: Retention;
}>;

export function createStore({ database: opened, liveness, changes }: StorePorts, options: StoreOptions = {}): Store {
  const { now = () => new Date() } = options;
  const releases = createClaimReleases(opened, liveness.id);
  const database = observed(opened, releases.retry, changes.notify);
  const retention = createRetention(database, options.retention ?? defaultRetention, now, () =>
    pruneKeys(database, liveness),
  );
  const claims = createClaimStore(database, liveness, releases, now);
  const { lease, endLeases } = createLeaseStore(database, liveness);
  let closed: Promise<void> | undefined;

  /** Liveness is closed last: a claim whose row could not be removed then belongs to a dead process. */
  const close = async (): Promise<void> => {
    await changes.close();
    await Promise.all([retention.close(), releases.close()]);
    try {
      if (liveness.isHeld()) await Promise.all([claims.releaseAll(), endLeases()]);
    } catch (error) {
      if (!(error instanceof DomainError)) throw error;
    } finally {
      await database.close();
      await liveness.close();
    }
  };

  return {
    ...createRecordStore(database),
    ...createOperationStore(database, liveness, retention, claims, now),
    ...createOperationHistory(database),
    ...createEventStore(database, retention.appended),
    ...createReportedStateStore(database, liveness, retention.appended),
    ...createDeliveryStore(database, now),
    ...createConfirmationStore(database, now),
    ...createRequestKeyStore(database, liveness, now),
    ...createJobStore(database, liveness, now),
    claim: claims.claim,
    lease,
    onChange: changes.subscribe,
    close: () => (closed ??= close()),
  };
}

/** The database with hooks: one before each access, and one after each write. */
const observed = (database: Database, before: () => void, written: () => void): Database => ({
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
  close: () => database.close(),
});
