import { expect, test } from "vitest";
import { open, operation, record, run, sql, target, temporaryDirectory } from "./fixture.ts";

test("What was last seen stands in columns of its own, and the next settlement replaces all of it", async () => {
  const directory = temporaryDirectory();
  const store = await open(directory);
  const seen = { bootOrder: "hd", diskPath: "/d.qcow2", diskSizeBytes: 25 * 2 ** 30 + 1 } as const;
  await run(store, { id: "a" }, { record: record({ seen: { bootOrder: "cdrom_hd", media: "/i.iso" } }) });
  await run(store, { id: "b" }, { record: record({ seen }) });
  expect((await store.record(target))?.seen).toEqual(seen);
  expect(sql(directory, "select boot_from_disk, disk_size, current_media from vms")).toEqual([
    { boot_from_disk: 1, disk_size: 25, current_media: null },
  ]);
  await run(store, { id: "c" }, { record: record() });
  expect((await store.record(target))?.seen).toBeUndefined();
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
