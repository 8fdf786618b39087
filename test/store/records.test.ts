import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { databaseOf, open, operation, record, run, sql, target, temporaryDirectory } from "./fixture.ts";

test("seen() replaces what was last seen, and neither revision, version nor time", async () => {
  const directory = temporaryDirectory();
  const store = await open(directory);
  await store.begin(operation("a"));
  await store.settle("a", {
    status: "applied",
    steps: [],
    record: record({ seen: { bootOrder: "cdrom_hd", media: "/i.iso" } }),
    events: [],
  });
  const before = await store.record(target);
  await store.seen(target, { bootOrder: "hd", diskPath: "/d.qcow2", diskSizeBytes: 25 * 2 ** 30 + 1 });
  expect(await store.record(target)).toEqual({
    ...before,
    seen: { bootOrder: "hd", diskPath: "/d.qcow2", diskSizeBytes: 25 * 2 ** 30 + 1 },
  });
  expect(sql(directory, "select version, boot_from_disk, disk_size from vms")).toEqual([
    { version: 1, boot_from_disk: 1, disk_size: 25 },
  ]);
});

test("seen() of what was seen before writes nothing, and waits for nobody who has the database locked", async () => {
  const directory = temporaryDirectory();
  const store = await open(directory, { lockWaitMs: 30 });
  await run(store, { id: "a" }, { record: record() });
  await store.seen(target, { bootOrder: "hd", diskSizeBytes: 5 });
  const locked = new DatabaseSync(databaseOf(directory));
  locked.exec("begin immediate");
  await store.seen(target, { bootOrder: "hd", diskSizeBytes: 5 });
  await expect(store.seen(target, { bootOrder: "hd" })).rejects.toMatchObject({ code: "STORE_LOCKED" });
  locked.close();
  await store.seen(target, {});
  expect((await store.record(target))?.seen).toBeUndefined();
  expect(sql(directory, "select version from vms")).toEqual([{ version: 1 }]);
});

test("seen() of a VM that is not on record does nothing", async () => {
  const store = await open(temporaryDirectory());
  await store.seen(target, { bootOrder: "hd" });
  expect(await store.records()).toEqual([]);
});

test("One UUID on two connections is two records", async () => {
  const store = await open(temporaryDirectory());
  await store.begin(operation("a"));
  await store.settle("a", { status: "applied", steps: [], record: record(), events: [] });
  await store.begin(operation("b", { target: { ...target, connection: "lab2" } }));
  await store.settle("b", {
    status: "applied",
    steps: [],
    record: record({ connection: "lab2", name: "other" }),
    events: [],
  });
  expect((await store.records()).map(({ connection, name }) => [connection, name])).toEqual([
    ["lab2", "other"],
    ["local", "web"],
  ]);
  expect(await store.record({ ...target, connection: "lab3" })).toBeUndefined();
});
