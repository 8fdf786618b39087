/** The store's three ports without a file: a database in memory, made of the entities alone, that the stores of this
 * process share as if each were a process of its own. */
import { MikroORM, SqliteDriver } from "@mikro-orm/sqlite";
import { entities } from "../../src/store/entities.ts";
import type { ChangeFeed, Database, Liveness } from "../../src/store/ports.ts";

export type MemoryPorts = Readonly<{
  database: Database;
  liveness: Liveness;
  changes: ChangeFeed;
  /** Ends it as SIGKILL ends a process: nothing is given back, and it lives no longer. */
  kill(): void;
}>;

export async function createSharedMemory() {
  const orm = await MikroORM.init({ driver: SqliteDriver, dbName: ":memory:", entities, debug: false });
  await orm.schema.create();
  const living = new Set<string>();
  const listeners = new Set<() => void>();
  // There is one connection, and whatever runs between the beginning and the end of a transaction is part of it.
  let last: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const mine = last.then(work);
    last = mine.catch(() => undefined);
    return mine;
  };

  function open(): MemoryPorts {
    const id = crypto.randomUUID();
    const own = new Set<() => void>();
    let hasEnded = false;
    const refuseEnded = async () => {
      if (hasEnded) throw new Error("It has ended");
    };
    const end = () => {
      hasEnded = true;
      living.delete(id);
      for (const listener of own) listeners.delete(listener);
    };
    return {
      database: {
        read: (work) => refuseEnded().then(() => inTurn(() => work(orm.em.fork()))),
        write: (work) => refuseEnded().then(() => inTurn(() => orm.em.fork().transactional(work))),
        close: async () => {
          hasEnded = true;
        },
      },
      liveness: {
        id,
        hold: async () => {
          await refuseEnded();
          living.add(id);
        },
        isHeld: () => living.has(id),
        isAlive: async (other) => other === id || living.has(other),
        close: async () => end(),
      },
      changes: {
        notify: () => {
          for (const listener of listeners) setImmediate(listener);
        },
        subscribe(listener) {
          own.add(listener);
          listeners.add(listener);
          return () => listeners.delete(listener);
        },
        close: async () => {
          for (const listener of own) listeners.delete(listener);
        },
      },
      kill: end,
    };
  }

  return { open, close: () => orm.close() };
}
