// @module-tag process
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { basename, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { copyTo } from "../../../src/store/sqlite/database-backup.ts";
import { createProcessLiveness } from "../../../src/store/sqlite/process-liveness.ts";
import {
  canMount,
  databaseOf,
  event,
  fill,
  Other,
  open,
  openFile,
  type Runtime,
  record,
  refusal,
  run,
  smallDisk,
  sql,
  target,
  temporaryDirectory,
} from "../fixture.ts";

test("copyTo() makes a whole copy for the owner alone, that opens as a store, with a write-ahead log again", async () => {
  const directory = temporaryDirectory();
  const [store, database] = [await open(directory), await openFile(directory)];
  await run(store, { id: "a", definition: "<domain/>" }, { record: record(), events: [event("a:0")] });
  const path = join(temporaryDirectory(), "it's a copy.sqlite");
  await copyTo(database, path, "test");
  expect((statSync(path).mode & 0o777).toString(8)).toBe("600");
  expect(readdirSync(join(path, ".."))).toEqual(["it's a copy.sqlite"]);
  const other = temporaryDirectory();
  copyFileSync(path, databaseOf(other));
  const copy = await open(other);
  expect(await copy.operation("a")).toEqual(await store.operation("a"));
  expect([await copy.records(), await copy.events()]).toEqual([await store.records(), await store.events()]);
  expect(sql(other, "pragma journal_mode")).toEqual([{ journal_mode: "wal" }]);
});

test("copy() makes a copy beside the database, and keeps the newest ten", async () => {
  const directory = temporaryDirectory();
  let seconds = 0;
  const now = () => new Date(Date.parse("2026-11-23T10:00:00.000Z") + 1000 * seconds++);
  const store = await open(directory, { now });
  await run(store, { id: "a" }, { record: record() });
  const copies = [];
  for (let nth = 0; nth < 12; nth++) copies.push(await store.backup.copy());
  const [first, second] = copies;
  expect((statSync(copies[11]!.path).mode & 0o777).toString(8)).toBe("600");
  expect(copies[11]).toMatchObject({ bytes: statSync(copies[11]!.path).size, removed: [second!.path] });
  expect(copies[10]!.removed).toEqual([first!.path]);
  expect(readdirSync(join(directory, "backups")).sort()).toEqual(
    copies
      .slice(2)
      .map(({ path }) => basename(path))
      .sort(),
  );
  // Somebody else's file there is nobody's to remove.
  writeFileSync(join(directory, "backups", "mine.sqlite"), "");
  await store.backup.copy();
  expect(readdirSync(join(directory, "backups"))).toContain("mine.sqlite");
});

/** Goal: what is copied is one moment. Method: two processes settle as fast as they can while copies are made; in each
 * copy outcomes, rows and events must agree, as they do at every moment of the original. */
test("copy() removes what killed processes had begun, and counts none of it as a copy", async () => {
  const directory = temporaryDirectory();
  const store = await open(directory);
  const first = await store.backup.copy();
  const living = createProcessLiveness(join(directory, "holders"), "living");
  await living.hold();
  const backups = join(directory, "backups");
  const begun = (day: number, holder: string) => {
    const copy = `bootwright-2026-11-0${day}T10-00-00.000Z-00000000.sqlite`;
    const files = [`${copy}.${holder}.partial`, copy];
    writeFileSync(join(backups, files[0]!), "half a copy");
    writeFileSync(join(backups, files[1]!), "");
    return files;
  };
  const [dead, old, underWay] = [begun(1, "dead.1"), begun(2, "test"), begun(3, `${living.id}.1`)];
  // Killed before it held the name, and after it let go of what it had begun.
  writeFileSync(join(backups, "bootwright-2026-11-04T10-00-00.000Z-00000000.sqlite.dead.2.partial"), "");
  writeFileSync(join(backups, "bootwright-2026-11-05T10-00-00.000Z-00000000.sqlite"), "");
  const copies = [first, ...(await Promise.all(Array.from({ length: 9 }, () => store.backup.copy())))];
  expect(copies.flatMap(({ removed }) => removed)).toEqual([]);
  const kept = [...copies.map(({ path }) => basename(path)), ...underWay];
  expect(readdirSync(backups).sort()).toEqual(kept.sort());
  for (const gone of [...dead, ...old]) expect(existsSync(join(backups, gone))).toBe(false);
  await living.close();
  await store.backup.copy();
  for (const gone of underWay) expect(existsSync(join(backups, gone))).toBe(false);
});

test("copyTo() copies one moment while other processes write", async () => {
  const directory = temporaryDirectory();
  const database = await openFile(directory);
  const uuids = ["vm-1", "vm-2"];
  for (const [place, uuid] of uuids.entries()) {
    const other = new Other(place === 0 ? "node" : "deno", ["settle", directory, uuid]);
    expect(await other.line()).toBe("settling");
  }
  let applied = 0;
  const settled = () => Number(sql(directory, "select count(*) as n from operations where status = 'applied'")[0]?.n);
  for (let round = 0; round < 8; round++) {
    const path = join(directory, `copy-${round}`);
    await copyTo(database, path, "test");
    const copy = new DatabaseSync(path, { readOnly: true });
    const one = (query: string) => Object.values(copy.prepare(query).get() ?? {})[0];
    applied = Number(one("select count(*) from operations where status = 'applied'"));
    expect(one("pragma integrity_check")).toBe("ok");
    expect(one("select count(*) from events")).toBe(applied * 2);
    expect(one("select coalesce(sum(revision), 0) from vms")).toBe(applied);
    copy.close();
    await expect.poll(settled).toBeGreaterThan(applied + 1);
  }
  expect(applied).toBeGreaterThan(10);
});

test.each<Runtime>(["node", "deno"])("copy() works on %s", async (runtime) => {
  const directory = temporaryDirectory();
  await run(await open(directory), { id: "a" });
  const other = new Other(runtime, ["copy", directory]);
  expect(statSync((await other.line())!).mode & 0o777).toBe(0o600);
});

test("copyTo() refuses a path that exists, is relative, or has no directory, and touches nothing", async () => {
  const directory = temporaryDirectory();
  const database = await openFile(directory);
  const path = join(directory, "mine");
  writeFileSync(path, "");
  chmodSync(path, 0o644);
  for (const refused of [
    path,
    databaseOf(directory),
    directory,
    "copy.sqlite",
    "./copy",
    "",
    "/a\0b",
    join(directory, "none", "copy"),
    join(path, "copy"),
  ]) {
    await expect(copyTo(database, refused, "test")).rejects.toEqual(refusal("INPUT_INVALID"));
  }
  expect([readFileSync(path, "utf8"), statSync(path).mode & 0o777]).toEqual(["", 0o644]);
  expect(readdirSync(directory).filter((name) => name.includes("partial"))).toEqual([]);
  expect(existsSync("copy.sqlite")).toBe(false);
});

test("copyTo() into a directory that is none to write tells it as STORE_UNAVAILABLE with that path", async () => {
  const database = await openFile(temporaryDirectory());
  await expect(copyTo(database, "/proc/copy.sqlite", "test")).rejects.toEqual(
    refusal("STORE_UNAVAILABLE", /copy was not made/),
  );
});

test.skipIf(!canMount())(
  "copyTo() a full disk is STORE_UNAVAILABLE and leaves no half file, and the store goes on",
  async () => {
    const directory = temporaryDirectory();
    const [store, database] = [await open(directory), await openFile(directory)];
    await run(store, { id: "a", definition: "x".repeat(3 * 2 ** 20) });
    const disk = smallDisk(2);
    mkdirSync(join(disk, "copies"));
    const path = join(disk, "copies", "copy.sqlite");
    const error = await copyTo(database, path, "test").catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "STORE_UNAVAILABLE", details: { path } });
    expect(readdirSync(join(disk, "copies"))).toEqual([]);
    const room = fill(disk);
    await expect(copyTo(database, path, "test")).rejects.toEqual(refusal("STORE_UNAVAILABLE"));
    expect(readdirSync(join(disk, "copies"))).toEqual([]);
    room();
    await run(store, { id: "b", target });
    expect(await store.operations({ limit: 9 })).toHaveLength(2);
  },
);
