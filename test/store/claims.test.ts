// @module-tag process
import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import type { DomainError } from "../../src/domain/error.ts";
import {
  asking,
  event,
  Other,
  open,
  operation,
  type Runtime,
  record,
  sql,
  step,
  target,
  temporaryDirectory,
} from "./fixture.ts";

const elsewhere = { ...target, connection: "lab2" };

test("claim() gives a VM to one caller after the other, in the order they came", async () => {
  const store = await open(temporaryDirectory());
  const order: number[] = [];
  await Promise.all(
    [1, 2, 3, 4, 5].map(async (number) => {
      const claim = await store.claim(target, asking, 60_000);
      order.push(number);
      await claim.release();
    }),
  );
  expect(order).toEqual([1, 2, 3, 4, 5]);
});

test("claim() refuses with VM_BUSY when the time is up, and says who has the VM, for what and since when", async () => {
  const directory = temporaryDirectory();
  const store = await open(directory, { now: () => new Date("2026-11-23T12:00:00Z") });
  const claim = await store.claim(target, { actor: "mcp:claude 1", what: "resize_disk" }, 0);
  const details = {
    vm: target.uuid,
    holder: "mcp:claude 1",
    what: "resize_disk",
    since: "2026-11-23T12:00:00.000Z",
    waitedMs: expect.any(Number),
  };
  const second = await open(directory);
  for (const waiting of [store, second]) {
    const busy = await waiting.claim(target, asking, 50).catch((thrown: unknown) => thrown);
    expect(busy).toMatchObject({ code: "VM_BUSY", details });
    // Node's timers may be a millisecond early.
    expect((busy as DomainError<"VM_BUSY">).details.waitedMs).toBeGreaterThanOrEqual(49);
  }
  await claim.release();
  await (await second.claim(target, asking, 50)).release();
});

test("claim() names the VM where it is on record", async () => {
  const store = await open(temporaryDirectory());
  await store.begin(operation("a"));
  await store.settle("a", { status: "applied", steps: [], record: record(), events: [] });
  await store.claim(target, asking, 0);
  await expect(store.claim(target, asking, 0)).rejects.toMatchObject({ details: { vm: "web" } });
});

test("claim() holds one VM of one connection only", async () => {
  const directory = temporaryDirectory();
  const store = await open(directory);
  await store.claim(target, asking, 0);
  await expect(store.claim(elsewhere, asking, 0)).resolves.toMatchObject({ left: [] });
  await expect(store.claim(target, asking, 0)).rejects.toMatchObject({ code: "VM_BUSY" });
  expect(sql(directory, "select connection, uuid from claims order by connection")).toEqual([elsewhere, target]);
});

test("claim() ends with the signal's reason, and the queue goes on without it", async () => {
  const store = await open(temporaryDirectory());
  const first = await store.claim(target, asking, 0);
  const controller = new AbortController();
  const second = store.claim(target, asking, 60_000, controller.signal);
  const third = store.claim(target, asking, 60_000);
  const reason = new Error("cancelled");
  controller.abort(reason);
  await expect(second).rejects.toBe(reason);
  await first.release();
  await (await third).release();
  await expect(store.claim(target, asking, 0, controller.signal)).rejects.toBe(reason);
});

test("claim() ends with the signal's reason while another process has the VM", async () => {
  const directory = temporaryDirectory();
  await (await open(directory)).claim(target, asking, 0);
  const second = await open(directory);
  await expect(second.claim(target, asking, 60_000, AbortSignal.timeout(60))).rejects.toMatchObject({
    name: "TimeoutError",
  });
});

test("release() gives back its own claim only, however often it is called", async () => {
  const store = await open(temporaryDirectory());
  const first = await store.claim(target, asking, 0);
  await first.release();
  const second = await store.claim(target, asking, 0);
  await first.release();
  await expect(store.claim(target, asking, 0)).rejects.toMatchObject({ code: "VM_BUSY" });
  await second.release();
});

test("claim() hands over what was left open: begun operations and unknown outcomes, oldest first", async () => {
  const store = await open(temporaryDirectory());
  await store.begin(
    operation("b", { begunAt: "2026-11-23T10:00:02.000Z", steps: [step("x")], definition: "<domain/>" }),
  );
  await store.begin(operation("a", { begunAt: "2026-11-23T10:00:01.000Z" }));
  await store.begin(operation("done"));
  await store.begin(operation("other", { target: elsewhere }));
  await store.settle("a", { status: "unknown", steps: [], events: [event("a:0", "operation.unknown")] });
  await store.settle("done", { status: "applied", steps: [], events: [] });
  const { left } = await store.claim(target, asking, 0);
  expect(left.map(({ id, status }) => [id, status])).toEqual([
    ["a", "unknown"],
    ["b", "begun"],
  ]);
  expect(left[1]).toEqual(
    operation("b", { begunAt: "2026-11-23T10:00:02.000Z", steps: [step("x")], definition: "<domain/>" }),
  );
});

test.each<Runtime>(["node", "deno"])(
  "claim() waits for a living %s process, and takes over at once from one that was killed",
  async (runtime) => {
    const directory = temporaryDirectory();
    const store = await open(directory);
    const other = new Other(runtime, ["hold", directory, target.uuid]);
    expect(await other.line()).toBe("holding");
    expect(await store.open()).toEqual([]);
    await expect(store.claim(target, asking, 300)).rejects.toMatchObject({
      code: "VM_BUSY",
      details: { holder: "other", what: "start_vm" },
    });
    await other.kill();
    expect((await store.open()).map(({ id }) => id)).toEqual(["left-by-0"]);
    const claim = await store.claim(target, asking, 0);
    expect(claim.left.map(({ id }) => id)).toEqual(["left-by-0"]);
    await claim.release();
  },
);

test.each([
  ["node", "deno"],
  ["deno", "node"],
] as const)(
  "A %s process and a %s process see each other: one waits while the other lives, and gets the VM when it lets go",
  async (holding, waiting) => {
    const directory = temporaryDirectory();
    const first = new Other(holding, ["hold", directory, target.uuid]);
    expect(await first.line()).toBe("holding");
    const second = new Other(waiting, ["hold", directory, target.uuid]);
    expect(await second.line()).toBe("waiting");
    first.goOn();
    expect(await first.line()).toBe("released");
    expect(await second.line()).toBe("holding");
  },
);

test("Processes of both runtimes that race for one VM never have it at once", async () => {
  const directory = temporaryDirectory();
  await open(directory);
  const marks = new DatabaseSync(`${directory}/marks.sqlite`);
  marks.exec("create table inside (pid integer, entered integer); insert into inside values (0, 0)");
  const others = (["node", "deno", "node"] as const).map(
    (runtime) => new Other(runtime, ["compete", directory, target.uuid]),
  );
  for (const other of others) expect(await other.line()).toBe("ready");
  for (const other of others) other.goOn();
  for (const other of others) expect(await other.line()).toBe("done");
  expect(marks.prepare("select entered from inside").get()).toEqual({ entered: 90 });
  marks.close();
  expect(sql(directory, "select count(*) as n from claims")).toEqual([{ n: 0 }]);
});

test("close() gives back what is still claimed", async () => {
  const directory = temporaryDirectory();
  const first = await open(directory);
  await first.claim(target, asking, 0);
  await first.close();
  await expect((await open(directory)).claim(target, asking, 0)).resolves.toMatchObject({ left: [] });
});

test("the first claim of a process removes what dead ones held on other VMs, and nothing of the living", async () => {
  const directory = temporaryDirectory();
  const living = await open(directory);
  await living.claim(elsewhere, asking, 0);
  // A process that died between its claim and its operation, on a VM that was never made: nobody will ask for it again.
  sql(directory, "insert into claims values ('local', 'never-made', 'dead', 'cli', 'create_vm', '')", "select 1");
  const store = await open(directory);
  await store.claim(target, asking, 0);
  expect(sql(directory, "select connection, uuid from claims order by connection")).toEqual([elsewhere, target]);
});
