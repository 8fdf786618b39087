// @module-tag process
import { expect, test } from "vitest";
import { asking, event, Other, open, operation, record, sql, step, target, temporaryDirectory } from "./fixture.ts";

/** Everything that a driver which writes values into SQL text could get wrong. */
const nasty = `q'uo"te ? ?? :a $1 \\ \\? %s 한글 😀 \u0001 \n\r\t -- /* ; <![CDATA[`;

test("begin() and operation() keep every part of an operation, whatever characters it has", async () => {
  const store = await open(temporaryDirectory());
  const begun = operation("a", { actor: nasty, what: nasty, definition: nasty, steps: [step(nasty), step("\0")] });
  await store.begin(begun);
  expect(await store.operation("a")).toEqual(begun);
  expect(await store.operation("b")).toBeUndefined();
});

test("begin() survives a NUL character in a text that a client made up", async () => {
  const store = await open(temporaryDirectory());
  await store.begin(operation("a", { actor: "mcp:\0evil', 'x" }));
  expect((await store.operation("a"))?.actor).toBe("mcp:\ufffdevil', 'x");
});

test("advance() records steps and direction of an open operation, and of no other", async () => {
  const store = await open(temporaryDirectory());
  await store.begin(operation("a"));
  await store.advance("a", [step("x"), step("y")], "back");
  expect(await store.operation("a")).toEqual(operation("a", { steps: [step("x"), step("y")], direction: "back" }));
  await store.settle("a", { status: "rolled_back", steps: [], events: [] });
  await expect(store.advance("a", [], "back")).rejects.toThrow("is not open");
});

test("settle() writes outcome, VM and events together", async () => {
  const at = "2026-11-23T12:00:00.000Z";
  const store = await open(temporaryDirectory(), { now: () => new Date(at) });
  const error = { code: "GUEST_REFUSED", message: nasty };
  const wanted = record({
    name: nasty,
    requestedOrder: "hd",
    isoIdentity: "8:1:2",
    currentRun: { run: "r1", device: "cdrom", purpose: "install", startedAt: at, atReboot: "eject" },
    suggestion: { evidence: nasty, by: nasty, at, run: "r1" },
    seen: { bootOrder: "custom", diskPath: "/d", diskSizeBytes: 2 ** 45, media: "/i.iso", bootDevice: "cdrom" },
  });
  await store.begin(operation("a"));
  await store.settle("a", {
    status: "failed",
    steps: [step("x")],
    error,
    record: wanted,
    events: [event("a:0"), event("a:1")],
  });
  expect(await store.operation("a")).toEqual(
    operation("a", { status: "failed", steps: [step("x")], error, settledAt: at }),
  );
  expect(await store.record(target)).toEqual({ ...wanted, updatedAt: at });
  expect(await store.events()).toEqual([
    { seq: 1, event: event("a:0") },
    { seq: 2, event: event("a:1") },
  ]);
  expect(await store.events(1)).toEqual([{ seq: 2, event: event("a:1") }]);
  expect(await store.events(0, 1)).toHaveLength(1);
});

test("settle() changes nothing the second time", async () => {
  const store = await open(temporaryDirectory());
  await store.begin(operation("a"));
  await store.settle("a", { status: "applied", steps: [], record: record(), events: [event("a:0")] });
  const before = [await store.operation("a"), await store.records(), await store.events()];
  await store.settle("a", { status: "failed", steps: [step("x")], record: null, events: [event("a:1")] });
  expect([await store.operation("a"), await store.records(), await store.events()]).toEqual(before);
});

test("settle() updates a row, raises its version and keeps when it was made; null removes it; absent leaves it", async () => {
  const directory = temporaryDirectory();
  const store = await open(directory);
  const settle = async (id: string, change: { record?: ReturnType<typeof record> | null }) => {
    await store.begin(operation(id));
    await store.settle(id, { status: "applied", steps: [], events: [], ...change });
  };
  await settle("a", { record: record({ requestedOrder: "hd", seen: { bootOrder: "hd" } }) });
  await settle("b", { record: record({ revision: 2, createdAt: "1999-01-01T00:00:00.000Z" }) });
  const updated = await store.record(target);
  expect(updated).toEqual({ ...record({ revision: 2 }), updatedAt: updated?.updatedAt });
  expect(sql(directory, "select version from vms")).toEqual([{ version: 2 }]);
  await settle("c", {});
  expect(await store.records("local")).toHaveLength(1);
  expect(await store.records("lab2")).toHaveLength(0);
  await settle("d", { record: null });
  expect(await store.records()).toHaveLength(0);
});

test("settle() of an unknown outcome leaves the operation open until it is settled for good, and loses no event", async () => {
  const store = await open(temporaryDirectory());
  await store.begin(operation("a"));
  await store.settle("a", { status: "unknown", steps: [], events: [event("a:0", "operation.unknown")] });
  await store.settle("a", { status: "unknown", steps: [], events: [event("a:0", "operation.unknown")] });
  expect((await store.open(target)).map(({ id }) => id)).toEqual(["a"]);
  await store.settle("a", { status: "applied", steps: [], events: [event("a:0", "boot_order.changed")] });
  expect(await store.open()).toEqual([]);
  expect((await store.events()).map(({ event: { id, type } }) => [id, type])).toEqual([
    ["a:0", "operation.unknown"],
    ["a:0:boot_order.changed", "boot_order.changed"],
  ]);
});

test("settle() of an operation that was never begun is a defect", async () => {
  const store = await open(temporaryDirectory());
  await expect(store.settle("a", { status: "applied", steps: [], events: [] })).rejects.toThrow("never begun");
});

test("settle() that fails half way leaves no trace", async () => {
  const store = await open(temporaryDirectory());
  await store.begin(operation("a"));
  const broken = { ...record(), origin: "stolen" } as never;
  await expect(
    store.settle("a", { status: "applied", steps: [], record: broken, events: [event("a:0")] }),
  ).rejects.toThrow("CHECK");
  expect(await store.operation("a")).toEqual(operation("a"));
  await store.settle("a", { status: "failed", steps: [], events: [] });
});

test("open() leaves out what a living process is doing", async () => {
  const directory = temporaryDirectory();
  const [first, second] = [await open(directory), await open(directory)];
  const { release } = await first.claim(target, asking, 0);
  await first.begin(operation("a"));
  expect(await first.open()).toEqual([]);
  expect(await second.open()).toEqual([]);
  // It has given the VM back, and could not record what became of the operation.
  await release();
  expect((await second.open()).map(({ id }) => id)).toEqual(["a"]);
  await first.close();
  expect((await second.open()).map(({ id }) => id)).toEqual(["a"]);
  expect(await second.open({ ...target, connection: "lab2" })).toEqual([]);
});

/** Goal: outcome, VM row and events never disagree, whenever the process dies. Method: a process settles operations as
 * fast as it can and is killed at a random moment, twenty times. It samples moments and cannot see a loss of power. */
test("A process that is killed while it settles leaves outcomes, rows and events that agree", {
  timeout: 120_000,
}, async () => {
  const directory = temporaryDirectory();
  await open(directory);
  const settled = () => Number(sql(directory, "select count(*) as n from operations where status = 'applied'")[0]?.n);
  for (let round = 0; round < 20; round++) {
    const before = settled();
    const other = new Other(round % 4 === 3 ? "deno" : "node", ["settle", directory, target.uuid]);
    expect(await other.line()).toBe("settling");
    await expect.poll(settled, { interval: 2 }).toBeGreaterThan(before);
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 60));
    await other.kill();
  }
  const [{ applied, begun } = {}] = sql(
    directory,
    "select sum(status = 'applied') as applied, sum(status = 'begun') as begun from operations",
  );
  expect(applied).toBeGreaterThan(0);
  expect(begun).toBeLessThanOrEqual(1);
  expect(sql(directory, "select count(*) as events from events")).toEqual([{ events: Number(applied) * 2 }]);
  expect(sql(directory, "select revision from vms")).toEqual([{ revision: applied }]);
  expect(
    sql(
      directory,
      "select count(*) as n from events where substr(id, 1, 36) not in (select id from operations where status = 'applied')",
    ),
  ).toEqual([{ n: 0 }]);
  expect(sql(directory, "pragma integrity_check")).toEqual([{ integrity_check: "ok" }]);
  const claim = await (await open(directory)).claim(target, asking, 0);
  expect(claim.left).toHaveLength(Number(begun));
});
