// @module-tag long
import { readdirSync, statSync } from "node:fs";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import { createRetention, JOBS_KEPT, type Retention } from "../../src/store/retention.ts";
import { scaled } from "../support/scale.ts";
import {
  databaseOf,
  event,
  open,
  openFile,
  operation,
  record,
  run,
  sql,
  step,
  target,
  temporaryDirectory,
} from "./fixture.ts";

const day = 24 * 60 * 60_000;
const now = () => new Date("2026-11-23T12:00:00.000Z");
const daysAgo = (days: number) => new Date(now().getTime() - days * day).toISOString();
const all: Retention = {
  operations: 1e6,
  operationsPerVm: 1e6,
  operationAgeMs: 1e6 * day,
  definitionsPerVm: 1e6,
  definitionAgeMs: 1e6 * day,
  events: 1e6,
};
/** A store, and its history pruned at will as it prunes it by itself. */
async function pruning(clock = now) {
  const directory = temporaryDirectory();
  const store = await open(directory, { now: clock });
  const { prune } = createRetention(await openFile(directory), all, clock);
  return { directory, store, prune };
}
const idsOf = async (store: Awaited<ReturnType<typeof open>>) =>
  (await store.operations({ limit: 1000 })).map(({ id }) => id);
setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;
const name = (number: number) => `op-${String(number).padStart(5, "0")}`;

test("prune() keeps the newest operations of each VM, and says how many it removed", async () => {
  const { store, prune } = await pruning();
  const other = { ...target, uuid: "other" };
  for (let number = 0; number < 6; number++) await run(store, { id: name(number), begunAt: daysAgo(10 - number) });
  await run(store, { id: "o", begunAt: daysAgo(20), target: other });
  expect(await prune({ ...all, operationsPerVm: 2 })).toEqual({ operations: 4, definitions: 0, events: 0 });
  expect(await idsOf(store)).toEqual([name(5), name(4), "o"]);
  expect(await prune(all)).toEqual({ operations: 0, definitions: 0, events: 0 });
});

test("prune() never removes what is begun or unknown, nor the definition that it kept, however old", async () => {
  const { store, prune } = await pruning();
  const old = { begunAt: daysAgo(999), definition: "<domain/>" };
  await store.begin(operation("begun", old));
  await run(store, { id: "unknown", ...old }, { status: "unknown" });
  await run(store, { id: "applied", ...old });
  const nothing = {
    operations: 0,
    operationsPerVm: 0,
    operationAgeMs: 0,
    definitionsPerVm: 0,
    definitionAgeMs: 0,
    events: 0,
  };
  expect(await prune(nothing)).toEqual({ operations: 1, definitions: 0, events: 0 });
  expect(await idsOf(store)).toEqual(["unknown", "begun"]);
  expect(await store.definition("begun")).toBe("<domain/>");
});

test("prune() removes by age, but the newest ten of a VM on record stay", async () => {
  const { store, prune } = await pruning();
  const gone = { ...target, uuid: "gone" };
  for (let number = 0; number < 15; number++) {
    await run(store, { id: name(number), begunAt: daysAgo(99 - number) }, { record: record() });
    await run(store, { id: `gone-${number}`, begunAt: daysAgo(99 - number), target: gone });
  }
  await run(store, { id: "new", begunAt: daysAgo(1), target: gone });
  expect((await prune({ ...all, operationAgeMs: 30 * day })).operations).toBe(5 + 15);
  expect(await store.operations({ target, limit: 100 })).toHaveLength(10);
  expect((await store.operations({ target: gone, limit: 100 })).map(({ id }) => id)).toEqual(["new"]);
});

test("prune() keeps the newest operations of all VMs together, but the newest ten of a VM on record stay", async () => {
  const { store, prune } = await pruning();
  for (let number = 0; number < 30; number++) {
    await run(store, { id: name(number), begunAt: daysAgo(90 - number) }, number < 15 ? { record: record() } : {});
    await run(store, { id: `gone-${number}`, begunAt: daysAgo(40), target: { ...target, uuid: `gone-${number}` } });
  }
  expect(await prune({ ...all, operations: 20 })).toEqual({ operations: 30, definitions: 0, events: 0 });
  expect(await store.operations({ target, limit: 100 })).toHaveLength(10);
  expect(await store.operations({ limit: 100 })).toHaveLength(30);
});

test("prune() removes definitions by number and by age, and their operations stay", async () => {
  const { store, prune } = await pruning();
  for (let number = 0; number < 6; number++) {
    await run(store, {
      id: name(number),
      begunAt: daysAgo(60 - number * 10),
      ...(number !== 4 && { definition: "<domain/>" }),
    });
  }
  expect(await prune({ ...all, definitionsPerVm: 4 })).toEqual({ operations: 0, definitions: 1, events: 0 });
  expect(await prune({ ...all, definitionAgeMs: 35 * day })).toEqual({
    operations: 0,
    definitions: 2,
    events: 0,
  });
  expect((await store.definitions(target, 10)).map(({ operation }) => operation)).toEqual([name(5), name(3)]);
  expect(await idsOf(store)).toHaveLength(6);
});

test("prune() keeps the newest events, and their places are never given again", async () => {
  const { store, prune } = await pruning();
  const settle = (id: string, count: number) =>
    run(store, { id }, { events: Array.from({ length: count }, (_, place) => event(`${id}:${place}`)) });
  await settle("a", 5);
  expect(await prune({ ...all, events: 2 })).toEqual({ operations: 0, definitions: 0, events: 3 });
  expect((await store.events()).map(({ seq }) => seq)).toEqual([4, 5]);
  await prune({ ...all, events: 0 });
  await settle("b", 1);
  expect((await store.events()).map(({ seq }) => seq)).toEqual([6]);
});

const heldBy = async (store: Awaited<ReturnType<typeof open>>, subscriber: string) => {
  await store.feed(subscriber, 1);
  await run(store, { id: `for-${subscriber}` }, { events: [event(`${subscriber}:0`), event(`${subscriber}:1`)] });
  const [first] = (await store.feed(subscriber, 1)).events;
  const failed = { seq: first!.seq, event: first!.event, attempts: 1, state: "waiting", at: daysAgo(0) } as const;
  await store.endRound(subscriber, { cursor: first!.seq, taken: [], failed: [failed] });
};

test("prune() keeps every job that has not ended, and the newest of those that have", async () => {
  const { store, prune, directory } = await pruning();
  const at = (place: number) => new Date(Date.UTC(2026, 0, 1) + place).toISOString();
  const job = (place: number) => ({
    ...{ id: `job-${place}`, kind: "test", title: "Test", actor: "cli", input: {}, attempts: 1 },
    ...{ status: "queued" as const, startedAt: at(place), updatedAt: at(place) },
  });
  await store.addJob({ ...job(0), status: "running" }, []);
  await store.addJob({ ...job(1), status: "queued" }, []);
  await store.endJob("job-1", { status: "done" }, []);
  const columns = "id, kind, title, actor, input, attempts, status, holder, started_at, updated_at, ended_at";
  const rows = Array.from({ length: JOBS_KEPT }, (_, place) => {
    const time = at(place + 2);
    return `('job-${place + 2}', 'test', 'Test', 'cli', '{}', 1, 'done', '', '${time}', '${time}', '${time}')`;
  });
  sql(directory, `insert into jobs (${columns}) values ${rows.join(", ")}`, "select 1");
  await prune(all);
  expect(await store.job("job-0")).toMatchObject({ status: "running" });
  expect(await store.job("job-1")).toBeUndefined();
  expect(await store.job("job-2")).toMatchObject({ status: "done" });
});

test("prune() keeps what a subscriber has not been told, until nobody has served it for thirty days", async () => {
  let at = now();
  const later = (days: number) => {
    at = new Date(at.getTime() + days * day);
  };
  const { store, prune } = await pruning(() => at);
  await heldBy(store, "gone");
  await store.feed("served", 1);
  later(29);
  await store.feed("served", 1);
  expect((await prune({ ...all, events: 0 })).events).toBe(1);
  later(2);
  expect((await prune({ ...all, events: 0 })).events).toBe(1);
  expect(await store.subscribers()).toEqual([expect.objectContaining({ name: "served" })]);
  expect(await store.deliveries({ limit: 9 })).toEqual([]);
  // It comes back as a new one does.
  await run(store, { id: "meanwhile" }, { events: [event("meanwhile:0")] });
  expect(await store.feed("gone", 9)).toMatchObject({ events: [], due: [], waitingFor: [] });
});

test("prune() keeps no more than the newest hundred thousand events, whoever has not been told", async () => {
  const { directory, store, prune } = await pruning();
  await store.feed("behind", 1);
  const body = JSON.stringify(event("any"));
  sql(
    directory,
    `insert into events (id, type, subject, time, body)
      with recursive n(i) as (select 1 union all select i + 1 from n where i < 100250)
      select 'e' || i, 'vm.started', 'vm-1', '2026-11-23T10:00:00.000Z', '${body}' from n`,
    "select 1",
  );
  expect((await prune({ ...all, events: 10 })).events).toBe(250);
  expect((await store.feed("behind", 1)).events.map(({ seq }) => seq)).toEqual([251]);
});

test("prune() does not forget a subscriber to whom nothing happens for long, as long as it is served", async () => {
  let at = now();
  const { store, prune } = await pruning(() => at);
  for (let days = 0; days < 90; days += 5) {
    await store.feed("idle", 1);
    at = new Date(at.getTime() + 5 * day);
  }
  await run(store, { id: "last" }, { events: [event("last:0")] });
  expect((await prune({ ...all, events: 0 })).events).toBe(0);
  expect((await store.feed("idle", 1)).events).toHaveLength(1);
});

test("prune() of more rows than one transaction takes removes them all", async () => {
  const { directory, store, prune } = await pruning();
  sql(
    directory,
    `insert into operations (id, schema, connection, uuid, actor, what, direction, status, steps, holder, begun_at)
      with recursive n(i) as (select 1 union all select i + 1 from n where i < 1000)
      select 'x' || i, 2, 'local', 'u', 'a', 'w', 'forward', 'applied', '[]', 'h', strftime('%Y-%m-%dT%H:%M:%fZ', i, 'unixepoch') from n`,
    "select 1",
  );
  expect((await prune({ ...all, operationsPerVm: 7 })).operations).toBe(993);
  expect(await idsOf(store)).toEqual([1000, 999, 998, 997, 996, 995, 994].map((number) => `x${number}`));
});

test("A store prunes by itself after settlements, also where every process settles one operation and ends", async () => {
  const directory = temporaryDirectory();
  const retention = { ...all, operationsPerVm: 5 };
  for (let number = 0; number < 120; number++) {
    const store = await open(directory, { now, retention });
    await run(store, { id: name(number), begunAt: daysAgo(200 - number) });
    await store.close();
  }
  const left = await idsOf(await open(directory, { now }));
  expect(left.length).toBeLessThan(5 + 50);
  expect(left.slice(0, 5)).toEqual([119, 118, 117, 116, 115].map(name));
});

test("A store that is closed while it prunes closes in peace", async () => {
  const directory = temporaryDirectory();
  const store = await open(directory, { retention: { ...all, operationsPerVm: 0, events: 0 } });
  for (let number = 0; number < 50; number++) await run(store, { id: name(number) });
  await store.close();
  expect(sql(directory, "pragma integrity_check")).toEqual([{ integrity_check: "ok" }]);
});

/** Goal: a server that runs for a year needs no more than after an hour. Method: some thousand operations, in CI some
 * hundred, with large definitions, of several VMs, and what they cost is read at several moments: rows, bytes on disk, open files, heap. It
 * cannot see a leak of less than a hundred bytes an operation. */
test("Rows, file size, open files and heap stay flat over thousands of operations", {
  timeout: scaled(600_000, 60_000),
}, async () => {
  const directory = temporaryDirectory();
  const retention = { ...all, operationsPerVm: 20, definitionsPerVm: 5, events: 200 };
  const store = await open(directory, { retention });
  const definition = "<domain/>".repeat(1000);
  let number = 0;
  const work = async (rounds: number) => {
    for (let round = 0; round < rounds; round++, number++) {
      const vm = { ...target, uuid: `vm-${number % 5}` };
      const begunAt = new Date(1.7e12 + number * 1000).toISOString();
      const claim = await store.claim(vm, { actor: "cli", what: "x" }, 1000);
      const events = [event(`${number}:0`), event(`${number}:1`)];
      await run(
        store,
        { id: name(number), target: vm, begunAt, definition, steps: [step("x")] },
        { events, record: record(vm) },
      );
      await claim.release();
    }
  };
  const measure = () => {
    collect();
    const [rows] = sql(
      directory,
      "select (select count(*) from operations) as operations, (select count(*) from events) as events, (select count(definition) from operations) as definitions",
    );
    const bytes = ["", "-wal"].reduce((sum, end) => sum + statSync(databaseOf(directory) + end).size, 0);
    const files = readdirSync("/proc/self/fd").length;
    return {
      operations: rows!.operations,
      events: rows!.events,
      definitions: rows!.definitions,
      bytes,
      files,
      heap: process.memoryUsage().heapUsed,
    };
  };
  await work(300);
  const early = measure();
  await work(scaled(4_700, 300));
  const late = measure();
  expect(late.operations).toBeLessThanOrEqual(5 * 20 + 50);
  expect(late.definitions).toBeLessThanOrEqual(5 * 5 + 50);
  expect(late.events).toBeLessThanOrEqual(200 + 100);
  expect(late.bytes).toBeLessThan(early.bytes * 1.5 + 2 ** 20);
  expect(late.files).toBeLessThanOrEqual(early.files);
  expect(late.heap - early.heap).toBeLessThan(8 * 2 ** 20);
});
