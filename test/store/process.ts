/** Another process for the store's tests, run by Node or Deno: `process.ts <command> <directory> [argument]`. It prints
 * one line when it has done its part, and waits for the end of its standard input before it goes on. */
import { once } from "node:events";
import { argv, stdin } from "node:process";
import { createInterface } from "node:readline";
import { DatabaseSync } from "node:sqlite";
import type { DomainEvent } from "../../src/domain/model/event.ts";
import type { VmRecord } from "../../src/domain/model/vm-record.ts";
import { createProcessLiveness } from "../../src/store/sqlite/process-liveness.ts";
import { openSqlitePorts, openSqliteStore, type SqliteStoreOptions } from "../../src/store/sqlite/store.ts";
import { answerCalls } from "./remote-calls.ts";
import { portsMethods } from "./remote-ports.ts";
import { storeMethods } from "./remote-store.ts";

const [command = "", directory = "", argument = ""] = argv.slice(2);
const target = { connection: "local", uuid: argument };
const places = { directory, imageDirectory: "/images", connection: "local" };
const open = (more: Partial<SqliteStoreOptions> = {}) =>
  openSqliteStore({ ...places, newId: () => crypto.randomUUID(), ...more });
/** For who counts what was settled. */
const everything = {
  operations: 1e9,
  operationsPerVm: 1e9,
  operationAgeMs: 1e12,
  definitionsPerVm: 1e9,
  definitionAgeMs: 1e12,
  events: 1e9,
};
const stdinEnds = async () => {
  stdin.resume();
  await once(stdin, "end");
};

const operationOf = (id: string) =>
  ({
    id,
    target,
    actor: "other",
    what: "start_vm",
    direction: "forward",
    status: "begun",
    steps: [],
    begunAt: new Date().toISOString(),
  }) as const;

const eventOf = (id: string): DomainEvent => ({
  specversion: "1.0",
  id,
  source: "bootwright/local",
  type: "vm.started",
  subject: target.uuid,
  time: new Date().toISOString(),
  data: {},
});

const recordOf = (revision: number): VmRecord => ({
  ...target,
  name: "web",
  roles: {},
  status: "NotInstalled",
  ownedFiles: [],
  revision,
  origin: "created",
  createdAt: new Date().toISOString(),
  updatedAt: new Date().toISOString(),
});

const run: Record<string, () => Promise<void>> = {
  /** Opens the database when stdin ends, so that several can do it at one moment. */
  async open() {
    console.log("ready");
    await stdinEnds();
    const store = await open();
    console.log(`opened with ${(await store.records()).length} VMs`);
    await store.close();
  },

  async refused() {
    try {
      const store = await open();
      console.log("opened");
      await store.close();
    } catch (error) {
      console.log((error as { code?: string }).code ?? String(error));
    }
  },

  /** Claims a VM, says so if it has to wait for it, begins an operation on it, and holds both until stdin ends. */
  async hold() {
    const store = await open();
    const asking = { actor: "other", what: "start_vm" };
    const claim = await store.claim(target, asking, 0).catch((error: { code?: string }) => {
      if (error.code !== "VM_BUSY") throw error;
      console.log("waiting");
      return store.claim(target, asking, 60_000);
    });
    await store.begin(operationOf(`left-by-${claim.left.length}`));
    console.log("holding");
    await stdinEnds();
    await claim.release();
    await store.close();
    console.log("released");
  },

  /** Takes the claim for a moment, many times; prints every overlap with another process that it could see. */
  async compete() {
    const store = await open();
    const marks = new DatabaseSync(`${directory}/marks.sqlite`);
    marks.exec("pragma busy_timeout = 60000");
    console.log("ready");
    await stdinEnds();
    for (let round = 0; round < 30; round++) {
      const claim = await store.claim(target, { actor: "other", what: "start_vm" }, 60_000);
      const { changes } = marks.prepare("update inside set pid = ? where pid = 0").run(process.pid);
      if (changes !== 1) console.log("overlap");
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 4));
      marks.prepare("update inside set pid = 0, entered = entered + 1 where pid = ?").run(process.pid);
      await claim.release();
    }
    await store.close();
    marks.close();
    console.log("done");
  },

  /** Begins and settles operations until it is killed. */
  async settle() {
    const store = await open({ retention: everything });
    const claim = await store.claim(target, { actor: "other", what: "start_vm" }, 60_000);
    for (const { id } of claim.left) await store.settle(id, { status: "rolled_back", steps: [], events: [] });
    let revision = (await store.record(target))?.revision ?? 0;
    console.log("settling");
    while (true) {
      const id = crypto.randomUUID();
      await store.begin(operationOf(id));
      revision++;
      const events = [eventOf(`${id}:0`), eventOf(`${id}:1`)];
      await store.settle(id, { status: "applied", steps: [], record: recordOf(revision), events });
    }
  },

  /** Begins an operation, and at every line it is given tries to settle it and says what came of that. */
  async trouble() {
    const store = await open({ lockWaitMs: 200 });
    await store.claim(target, { actor: "other", what: "start_vm" }, 60_000);
    await store.begin(operationOf("a"));
    console.log("begun");
    for await (const _ of createInterface({ input: stdin })) {
      const events = [eventOf("a:0")];
      const ended = store.settle("a", { status: "applied", steps: [], record: recordOf(1), events });
      console.log(
        await ended.then(
          () => "settled",
          (error: { code?: string }) => error.code ?? String(error),
        ),
      );
    }
    await store.close();
    console.log("closed");
  },

  /** Asks whether another process lives. */
  async alive() {
    const begun = performance.now();
    const alive = await createProcessLiveness(`${directory}/holders`, "asking").isAlive(argument);
    console.log(`${alive ? "alive" : "dead"} ${performance.now() - begun < 1000 ? "at once" : "after a while"}`);
  },

  /** Releases a claim while the database is locked, and ends. */
  async stuck() {
    const store = await open({ lockWaitMs: 30 });
    const claim = await store.claim(target, { actor: "other", what: "start_vm" }, 60_000);
    const database = new DatabaseSync(`${directory}/bootwright.sqlite`);
    database.exec("begin immediate");
    await claim.release();
    console.log("stuck");
    // No close: the end of the process is all there is.
  },

  /** Takes a lease, and keeps it until it is killed. */
  async lease() {
    const store = await open();
    console.log((await store.lease(argument)) ? "leased" : "refused");
    await stdinEnds();
  },

  /** Copies the database, and says where to. */
  async copy() {
    const store = await open();
    const { path } = await store.backup.copy();
    await store.close();
    console.log(path);
  },

  /** Ends an operation with one event at every line it is given, and writes nothing else. */
  async report() {
    const store = await open({ retention: everything });
    await store.claim(target, { actor: "other", what: "start_vm" }, 60_000);
    console.log("ready");
    for await (const id of createInterface({ input: stdin })) {
      await store.begin(operationOf(id));
      await store.settle(id, { status: "applied", steps: [], events: [eventOf(id)] });
      console.log("reported");
    }
    await store.close();
  },

  /** Lends its store to whoever started it. */
  async store() {
    const store = await open();
    await answerCalls((notify) => storeMethods(store, notify));
    await store.close();
  },

  /** Lends the ports that a store stands on. */
  async ports() {
    const ports = await openSqlitePorts({ ...places, newId: () => crypto.randomUUID() });
    await answerCalls(() => portsMethods(ports));
  },

  /** Locks the whole database, as another program's long transaction would. */
  async locked() {
    const database = new DatabaseSync(`${directory}/bootwright.sqlite`);
    database.exec("begin exclusive");
    console.log("locked");
    await stdinEnds();
    database.close();
  },
};

await run[command]?.();
