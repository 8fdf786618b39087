/** Leases of tasks that one process at a time may run. The holder's file shows whether its process lives, so a lease
 * needs no clock. */
import { LeaseRow } from "./entities.ts";
import type { Database, Liveness } from "./ports.ts";

export const createLeaseStore = (database: Database, liveness: Liveness) => ({
  async lease(task: string): Promise<boolean> {
    await liveness.hold();
    const found = await database.read((em) => em.findOne(LeaseRow, { task }));
    if (found?.holder === liveness.id) return true;
    if (found && (await liveness.isAlive(found.holder))) return false;
    return database.write(async (em) => {
      if (found) await em.nativeDelete(LeaseRow, { task, holder: found.holder });
      if ((await em.count(LeaseRow, { task })) > 0) return false;
      await em.insert(LeaseRow, { task, holder: liveness.id });
      return true;
    });
  },

  /** Releases every lease of this process. */
  endLeases: (): Promise<unknown> => database.write((em) => em.nativeDelete(LeaseRow, { holder: liveness.id })),
});
