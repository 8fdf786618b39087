/** What the world does to a database while it is open. Nothing is ever written in part: an operation whose settlement
 * failed is begun as before, and is settled later. */
// @module-tag process
import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, onTestFinished, test } from "vitest";
import type { Settlement } from "../../../src/domain/ports/store.ts";
import {
  asking,
  canMount,
  databaseOf,
  event,
  failingDisk,
  fill,
  Other,
  open,
  operation,
  type Runtime,
  record,
  refusal,
  run,
  smallDisk,
  sql,
  target,
  temporaryDirectory,
} from "../fixture.ts";

const runtimes: Runtime[] = ["node", "deno"];
const settlement: Settlement = { status: "applied", steps: [], record: record(), events: [event("a:0"), event("a:1")] };

/** Nothing of the settlement is there; then it settles, once. */
async function expectToSettleLater(store: Awaited<ReturnType<typeof open>>): Promise<void> {
  expect((await store.operation("a"))?.status).toBe("begun");
  expect([await store.records(), await store.events()]).toEqual([[], []]);
  await store.settle("a", settlement);
  expect((await store.operation("a"))?.status).toBe("applied");
  expect(await store.records()).toHaveLength(1);
  expect(await store.events()).toHaveLength(2);
}

const lock = (directory: string): DatabaseSync => {
  const database = new DatabaseSync(databaseOf(directory));
  database.exec("begin immediate");
  onTestFinished(() => {
    if (database.isOpen) database.close();
  });
  return database;
};

test.skipIf(!canMount())(
  "A disk that fills up is STORE_UNAVAILABLE, and what was not settled is settled once there is room",
  async () => {
    const directory = smallDisk(4);
    const store = await open(directory);
    await store.begin(operation("a"));
    const room = fill(directory);
    const long = { ...settlement, record: record({ ownedFiles: ["x".repeat(2 ** 20)] }) };
    await expect(store.settle("a", long)).rejects.toEqual(refusal("STORE_UNAVAILABLE", /full/));
    await expect(store.begin(operation("b", { definition: "x".repeat(2 ** 20) }))).rejects.toEqual(
      refusal("STORE_UNAVAILABLE", /full/),
    );
    expect(await store.operations({ limit: 9 })).toHaveLength(1);
    room();
    await expectToSettleLater(store);
    expect(sql(directory, "pragma integrity_check")).toEqual([{ integrity_check: "ok" }]);
  },
);

test.skipIf(!canMount())(
  "A disk that Linux makes read-only is STORE_UNAVAILABLE, closing it fails nobody, and the operation is there after it was mended",
  async () => {
    const disk = failingDisk();
    const first = await open(disk.directory);
    const claim = await first.claim(target, asking, 0);
    await first.begin(operation("a"));
    disk.fail();
    await expect(first.settle("a", settlement)).rejects.toEqual(refusal("STORE_UNAVAILABLE", /I\/O/));
    await claim.release();
    await first.close();
    disk.mend();
    const second = await open(disk.directory);
    expect((await second.claim(target, asking, 0)).left.map(({ id }) => id)).toEqual(["a"]);
    await expectToSettleLater(second);
    await second.close();
  },
);

test.each(runtimes)(
  "A database that stays locked is STORE_LOCKED on %s, and the operation is settled afterwards",
  async (runtime) => {
    const directory = temporaryDirectory();
    const store = await open(directory);
    const other = new Other(runtime, ["trouble", directory, target.uuid]);
    expect(await other.line()).toBe("begun");
    const locked = lock(directory);
    other.say("settle");
    expect(await other.line()).toBe("STORE_LOCKED");
    expect((await store.operation("a"))?.status).toBe("begun");
    expect(await store.events()).toEqual([]);
    locked.close();
    other.say("settle");
    expect(await other.line()).toBe("settled");
    expect((await store.operation("a"))?.status).toBe("applied");
    expect(await store.events()).toHaveLength(1);
  },
);

test("A database that stays locked for writing is read as ever", async () => {
  const directory = temporaryDirectory();
  const store = await open(directory, { lockWaitMs: 50 });
  await store.begin(operation("a"));
  lock(directory);
  await expect(store.begin(operation("b"))).rejects.toEqual(refusal("STORE_LOCKED"));
  expect((await store.operation("a"))?.status).toBe("begun");
});

test.each(runtimes)(
  "A database that is moved away is STORE_UNAVAILABLE on %s, and goes on where it is put back",
  async (runtime) => {
    const directory = temporaryDirectory();
    await (await open(directory)).close();
    const other = new Other(runtime, ["trouble", directory, target.uuid]);
    expect(await other.line()).toBe("begun");
    const away = join(directory, "away");
    renameSync(databaseOf(directory), away);
    other.say("settle");
    expect(await other.line()).toBe("STORE_UNAVAILABLE");
    renameSync(away, databaseOf(directory));
    expect(sql(directory, "select status from operations")).toEqual([{ status: "begun" }]);
    other.say("settle");
    expect(await other.line()).toBe("settled");
    expect(sql(directory, "select status from operations")).toEqual([{ status: "applied" }]);
    other.goOn();
    expect(await other.line()).toBe("closed");
  },
);

// Without the look at the inode all of these succeed, into files that nobody can open any more.
test.each(["", "-wal", "-shm"])(
  "Nothing is written or read once the file bootwright.sqlite%s was deleted",
  async (end) => {
    const directory = temporaryDirectory();
    const store = await open(directory);
    await store.begin(operation("a"));
    rmSync(databaseOf(directory) + end);
    const gone = refusal("STORE_UNAVAILABLE", /was deleted while this process had it open/);
    await expect(store.begin(operation("b"))).rejects.toEqual(gone);
    await expect(store.settle("a", settlement)).rejects.toEqual(gone);
    await expect(store.operation("a")).rejects.toEqual(gone);
    await expect(store.claim(target, asking, 0)).rejects.toEqual(gone);
    await expect(store.backup.copy()).rejects.toEqual(gone);
    await store.close();
  },
);

test("A write during which the database is moved away is told as failed", async () => {
  const directory = temporaryDirectory();
  const store = await open(directory);
  let moved = false;
  const move = () => {
    if (!moved) renameSync(databaseOf(directory), join(directory, "away"));
    moved = true;
  };
  const moving = Object.defineProperty({ ...record() }, "name", {
    enumerable: true,
    get: () => {
      move();
      return "web";
    },
  });
  await expect(run(store, { id: "a" }, { record: moving })).rejects.toEqual(refusal("STORE_UNAVAILABLE", /deleted/));
});

test("Nothing is written once the database was replaced by a copy of itself, and the copy is left alone", async () => {
  const directory = temporaryDirectory();
  const store = await open(directory);
  await store.begin(operation("a"));
  const { path } = await store.backup.copy();
  renameSync(path, databaseOf(directory));
  const bytes = readFileSync(databaseOf(directory));
  await expect(store.settle("a", settlement)).rejects.toEqual(
    refusal("STORE_UNAVAILABLE", /was replaced by another file/),
  );
  await store.close();
  expect(readFileSync(databaseOf(directory)).equals(bytes)).toBe(true);
});

test("A whole directory that was deleted while it was open fails nobody at the end, and is used anew", async () => {
  const directory = join(temporaryDirectory(), "data");
  const store = await open(directory);
  const claim = await store.claim(target, asking, 0);
  rmSync(directory, { recursive: true });
  await expect(claim.release()).resolves.toBeUndefined();
  await expect(store.close()).resolves.toBeUndefined();
  const second = await open(directory);
  await run(second, { id: "a" });
  expect(await second.operation("a")).toMatchObject({ status: "applied" });
});

test("Rights that are taken away do not stop who has the database open; only a new process is refused", async () => {
  const directory = temporaryDirectory();
  const store = await open(directory);
  await store.begin(operation("a"));
  chmodSync(databaseOf(directory), 0o444);
  chmodSync(directory, 0o555);
  await expectToSettleLater(store);
  expect(sql(directory, "select status from operations")).toEqual([{ status: "applied" }]);
  const nobody = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {};
  expect(await new Other("node", ["refused", directory], nobody).line()).toBe("STORE_READ_ONLY");
  chmodSync(directory, 0o700);
});

test("Pages that are damaged while the database is open are STORE_CORRUPT, and are not written to", async () => {
  const directory = temporaryDirectory();
  const store = await open(directory);
  // More than SQLite keeps in memory, so that it reads the file again.
  for (let number = 0; number < 40; number++) await run(store, { id: `${number}`, definition: "x".repeat(200_000) });
  await store.begin(operation("a"));
  sql(directory, "pragma wal_checkpoint(truncate)");
  const bytes = readFileSync(databaseOf(directory));
  bytes.fill(0xa5, 4096);
  writeFileSync(databaseOf(directory), bytes, { flag: "r+" });
  for (const use of [
    () => store.operations({ limit: 100 }),
    () => store.begin(operation("b", { definition: "y" })),
    () => store.settle("a", settlement),
    () => store.backup.copy(),
  ]) {
    await expect(use()).rejects.toEqual(refusal("STORE_CORRUPT"));
  }
  expect(readFileSync(databaseOf(directory)).equals(bytes)).toBe(true);
});

test("Claims are refused once this process has lost its lock file, since the others take it for dead", async () => {
  const directory = temporaryDirectory();
  const store = await open(directory);
  await (await store.claim(target, asking, 0)).release();
  rmSync(join(directory, "holders"), { recursive: true });
  mkdirSync(join(directory, "holders"));
  await expect(store.claim(target, asking, 0)).rejects.toEqual(refusal("STORE_UNAVAILABLE", /was deleted/));
  await expect(store.begin(operation("a"))).rejects.toEqual(refusal("STORE_UNAVAILABLE", /was deleted/));
});
