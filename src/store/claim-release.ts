/** Giving VMs back. A claim whose row cannot be removed (a full disk, a lock that lasts) would keep every other process
 * from the VM for as long as this one lives, so its removal is tried again: after growing pauses, and before whatever
 * the store is asked next. */
import { DomainError } from "../domain/error.ts";
import type { Target } from "../domain/model/vm.ts";
import { ClaimRow } from "./entities.ts";
import type { Database } from "./ports.ts";
import { keyOf, keyText } from "./records.ts";

const pauseMsMin = 200;
const pauseMsMax = 30_000;
/** Some minutes; after that only the next call tries. */
const attemptsMax = 20;

export function createClaimReleases(database: Database, holder: string) {
  /** What is still to be given back, by key. */
  const stuck = new Map<string, Target>();
  let running: Promise<void> | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let attempts = 0;
  let closed = false;

  const remove = (targets: readonly Target[]): Promise<unknown> =>
    database.write((em) => em.nativeDelete(ClaimRow, { $or: targets.map((target) => ({ ...keyOf(target), holder })) }));

  /** Removes the rows that are stuck when the transaction has its turn: by then one may be a new claim's. */
  const removeStuck = async (): Promise<void> => {
    const removed = await database.write(async (em) => {
      const entries = [...stuck];
      for (const [, target] of entries) await em.nativeDelete(ClaimRow, { ...keyOf(target), holder });
      return entries;
    });
    for (const [key, target] of removed) if (stuck.get(key) === target) stuck.delete(key);
  };

  const retry = (): void => {
    if (stuck.size === 0 || running || closed) return;
    running = removeStuck()
      .catch(() => undefined)
      .finally(() => {
        running = undefined;
        wait();
      });
  };

  const wait = (): void => {
    clearTimeout(timer);
    if (stuck.size === 0 || closed || attempts >= attemptsMax) return;
    timer = setTimeout(retry, Math.min(pauseMsMin * 2 ** attempts++, pauseMsMax)).unref();
  };

  return {
    /** Tries again, if there is anything to try; queued before whatever the database is asked next. */
    retry,

    /** Gives VMs and things back, now or later. @throws what is no refusal of the database */
    async release(targets: readonly Target[]): Promise<void> {
      try {
        await remove(targets);
      } catch (error) {
        if (!(error instanceof DomainError)) throw error;
        for (const target of targets) stuck.set(keyText(target), target);
        attempts = 0;
        wait();
      }
    },

    /** Runs a transaction that puts a new claim in the place of whatever rows of ours are still there. */
    async replacing<T>(targets: readonly Target[], transaction: (forget: () => void) => Promise<T>): Promise<T> {
      const keys = targets.map(keyText);
      const before = keys.flatMap((key) => (stuck.has(key) ? [[key, stuck.get(key)!] as const] : []));
      try {
        return await transaction(() => {
          for (const key of keys) stuck.delete(key);
        });
      } catch (error) {
        for (const [key, target] of before) stuck.set(key, target);
        throw error;
      }
    },

    async close(): Promise<void> {
      closed = true;
      clearTimeout(timer);
      await running;
    },
  };
}
