// @module-tag process
import { chmodSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { databaseOf, migrationNames, Other, open, sql, temporaryDirectory } from "../fixture.ts";

const modeOf = (path: string) => (statSync(path).mode & 0o777).toString(8);
const refusal = (code: string) => expect.objectContaining({ code });

test("openStore() creates the directory for the owner alone, and the files too", async () => {
  const directory = join(temporaryDirectory(), "share", "bootwright");
  const store = await open(directory);
  await store.claim({ connection: "local", uuid: "a" }, { actor: "cli", what: "x" }, 0);
  expect(modeOf(directory)).toBe("700");
  expect(modeOf(join(directory, "holders"))).toBe("700");
  for (const end of ["", "-wal", "-shm"]) expect(modeOf(databaseOf(directory) + end)).toBe("600");
});

test("openStore() takes the rights of others away from an existing database", async () => {
  const directory = temporaryDirectory();
  writeFileSync(databaseOf(directory), "", { mode: 0o644 });
  await open(directory);
  expect(modeOf(databaseOf(directory))).toBe("600");
});

test("openStore() keeps a write-ahead log, so that nobody who reads waits for who writes", async () => {
  const directory = temporaryDirectory();
  await open(directory);
  expect(sql(directory, "pragma journal_mode")).toEqual([{ journal_mode: "wal" }]);
});

test("openStore() refuses a file that is no database with STORE_CORRUPT and leaves it as it is", async () => {
  const directory = temporaryDirectory();
  const text = "This is a diary and not a database.\n".repeat(100);
  writeFileSync(databaseOf(directory), text);
  await expect(open(directory)).rejects.toEqual(refusal("STORE_CORRUPT"));
  expect(readFileSync(databaseOf(directory), "utf8")).toBe(text);
});

test("openStore() refuses to upgrade a damaged database with STORE_CORRUPT and leaves it as it is", async () => {
  const directory = temporaryDirectory();
  sql(
    directory,
    "create table vms (id integer primary key, uuid text, name text)",
    "create index i on vms (uuid)",
    "insert into vms (uuid, name) select hex(randomblob(16)), hex(randomblob(200)) from (with recursive n(i) as (select 1 union all select i + 1 from n where i < 500) select i from n)",
    "select 1",
  );
  const bytes = readFileSync(databaseOf(directory));
  bytes.fill(0xa5, 3 * 4096, 5 * 4096);
  writeFileSync(databaseOf(directory), bytes);
  await expect(open(directory)).rejects.toEqual(refusal("STORE_CORRUPT"));
  expect(readFileSync(databaseOf(directory)).equals(bytes)).toBe(true);
});

test("openStore() refuses a database of a newer program with STORE_TOO_NEW and leaves it as it is", async () => {
  const directory = temporaryDirectory();
  await (await open(directory)).close();
  sql(
    directory,
    "insert into mikro_orm_migrations (name, executed_at) values ('29991231-beyond', 0)",
    "pragma wal_checkpoint(truncate)",
  );
  const bytes = readFileSync(databaseOf(directory));
  const error = await open(directory).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({
    code: "STORE_TOO_NEW",
    details: { found: "29991231-beyond", known: migrationNames.at(-1) },
  });
  expect(readFileSync(databaseOf(directory)).equals(bytes)).toBe(true);
});

test("openStore() refuses a database that another process keeps locked with STORE_LOCKED", async () => {
  const directory = temporaryDirectory();
  await (await open(directory)).close();
  const other = new Other("node", ["locked", directory]);
  expect(await other.line()).toBe("locked");
  const begun = performance.now();
  await expect(open(directory, { lockWaitMs: 200 })).rejects.toEqual(refusal("STORE_LOCKED"));
  // Node's timers may be a millisecond early.
  expect(performance.now() - begun).toBeGreaterThanOrEqual(199);
  other.goOn();
  await other.ended();
  await open(directory);
});

test("A write waits for another process that has the database locked for a moment, and the event loop does not", async () => {
  const directory = temporaryDirectory();
  const store = await open(directory);
  const other = new Other("node", ["locked", directory]);
  expect(await other.line()).toBe("locked");
  const write = store.offerConfirmation("token", "subject", 60_000);
  // The other one lets go only once this process has had many turns.
  let ticks = 0;
  const timer = setInterval(() => {
    if (++ticks === 10) other.goOn();
  }, 10);
  await write;
  clearInterval(timer);
  expect(ticks).toBeGreaterThanOrEqual(10);
  expect(await store.takeConfirmation("token", "subject")).toBe(true);
});

// Root may write whatever the mode says, so another user has to try.
const nobody = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {};
test.each([
  ["file", 0o444, 0o777],
  ["directory", 0o666, 0o555],
])("openStore() refuses a read-only %s with STORE_READ_ONLY", async (_what, fileMode, directoryMode) => {
  const directory = temporaryDirectory();
  await (await open(directory)).close();
  chmodSync(databaseOf(directory), fileMode);
  chmodSync(directory, directoryMode);
  const other = new Other("node", ["refused", directory], nobody);
  expect(await other.line()).toBe("STORE_READ_ONLY");
  chmodSync(directory, 0o700);
});

test("openStore() refuses a directory that cannot be made with STORE_UNAVAILABLE", async () => {
  const directory = temporaryDirectory();
  writeFileSync(join(directory, "file"), "");
  await expect(open(join(directory, "file", "data"))).rejects.toEqual(refusal("STORE_UNAVAILABLE"));
  mkdirSync(join(directory, "bootwright.sqlite"));
  await expect(open(directory)).rejects.toEqual(refusal("STORE_UNAVAILABLE"));
});

test("A store that was closed writes and reads nothing more", async () => {
  const store = await open(temporaryDirectory());
  await store.close();
  const closed = refusal("STORE_UNAVAILABLE");
  await expect(store.records()).rejects.toEqual(closed);
  await expect(store.offerConfirmation("token", "subject", 1000)).rejects.toEqual(closed);
});

test("close() may be called twice", async () => {
  const store = await open(temporaryDirectory());
  await expect(store.close()).resolves.toBeUndefined();
  await expect(store.close()).resolves.toBeUndefined();
});
