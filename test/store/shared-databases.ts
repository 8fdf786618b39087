/** Databases that several stores share, each as a process of its own: what the contracts of the store and of its ports
 * run on. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { Store } from "../../src/domain/ports/store.ts";
import type { Database } from "../../src/store/ports.ts";
import { openSqlitePorts, openSqliteStore } from "../../src/store/sqlite/store.ts";
import { createStore, type StorePorts } from "../../src/store/store.ts";
import { Other, type Runtime } from "./fixture.ts";
import { createSharedMemory } from "./memory-ports.ts";
import { callsTo } from "./remote-calls.ts";
import { type PortsUser, portsOver, userOf } from "./remote-ports.ts";
import { storeOver } from "./remote-store.ts";

/** Another process; `kill()` ends it without a farewell. */
export type Process<Use> = Readonly<{ use: Use; kill(): Promise<void> }>;

export type SharedDatabase = Readonly<{
  /** A store of this database. */
  store(): Promise<Store>;
  /** The ports that such a store stands on, in this process. */
  ports(): Promise<StorePorts>;
  /** A process with a store of its own. */
  storeProcess(): Promise<Process<Store>>;
  /** A process with ports of its own. */
  portsProcess(): Promise<Process<PortsUser>>;
  /** This database, which cannot be written until it is mended. Absent where nothing can go wrong with it. */
  faulty?(): Promise<Readonly<{ database: Database; mend(): void }>>;
  close(): Promise<void>;
}>;

/** A file of SQLite. On Deno every store is in a process of Deno's; on Node some are in this one. */
export async function sqliteOn(runtime: Runtime): Promise<SharedDatabase> {
  const directory = mkdtempSync(join(tmpdir(), "bootwright-store-"));
  const options = { directory, imageDirectory: "/images", connection: "local", newId: () => crypto.randomUUID() };
  const ends: (() => unknown)[] = [];

  const start = async (command: "store" | "ports") => {
    const other = new Other(runtime, [command, directory], {}, (kill) => ends.push(kill));
    const calls = callsTo(other);
    await calls.ready;
    return { calls, kill: () => other.kill() };
  };
  const storeProcess = async () => {
    const { calls, kill } = await start("store");
    return { use: storeOver(calls), kill };
  };

  return {
    storeProcess,

    async portsProcess() {
      const { calls, kill } = await start("ports");
      return { use: portsOver(calls), kill };
    },

    async store() {
      if (runtime === "deno") return (await storeProcess()).use;
      const store = await openSqliteStore(options);
      ends.push(() => store.close());
      return store;
    },

    async ports() {
      const ports = await openSqlitePorts(options);
      ends.push(() => userOf(ports).close());
      return ports;
    },

    async faulty() {
      const { database } = await openSqlitePorts({ ...options, lockWaitMs: 30 });
      ends.push(() => database.close());
      const lock = new DatabaseSync(database.path);
      lock.exec("pragma busy_timeout = 60000; begin immediate");
      return { database, mend: () => lock.close() };
    },

    async close() {
      for (const end of ends) await end();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** A database in memory: its stores are all in this process, and one that is killed is only said to be. */
export async function inMemory(): Promise<SharedDatabase> {
  const memory = await createSharedMemory();
  return {
    store: async () => createStore(memory.open()),
    ports: async () => memory.open(),
    async storeProcess() {
      const ports = memory.open();
      return { use: createStore(ports), kill: async () => ports.kill() };
    },
    async portsProcess() {
      const ports = memory.open();
      return { use: userOf(ports), kill: async () => ports.kill() };
    },
    close: memory.close,
  };
}
