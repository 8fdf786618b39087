/** Releases claims. A claim whose row cannot be removed (a full disk, a lasting lock) would block the VM for every
 * other process while this one lives. So the removal is tried again, after growing pauses and before the store's next
 * call. */
import { DomainError } from "../domain/error.ts";
import type { Target } from "../domain/model/vm.ts";
import { ClaimRow } from "./entities.ts";
import type { Database } from "./ports.ts";
import { keyOf, keyText } from "./records.ts";

const pauseMsMin = 200;
const pauseMsMax = 30_000;
/** These attempts take some minutes; after them only the next call tries. */
const attemptsMax = 20;

export function createClaimReleases(database: Database, holder: string) {
  /** The targets whose rows are still to be removed, by key. */
  const stuck = new Map<string, Target>();
  let running: Promise<void> | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let attempts = 0;
  let closed = false;

  const remove = (targets: readonly Target[]): Promise<unknown> =>
    database.write((em) => em.nativeDelete(ClaimRow, { $or: targets.map((target) => ({ ...keyOf(target), holder })) }));

  /** Removes the rows that are still stuck when the transaction runs: by then a row may belong to a new claim. */
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
    /** Retries the stuck removals, if there are any; queued before the database's next call. */
    retry,

    /** Releases VMs and things, now or later. @throws errors that are no refusals of the database */
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

    /** Runs a transaction that replaces this process's remaining rows with a new claim. */
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
