import { expect, test } from "vitest";
import { operate } from "../../../src/domain/engine/operate.ts";
import { recoverAll } from "../../../src/domain/engine/recover.ts";
import type { Target } from "../../../src/domain/model/vm.ts";
import { thing } from "../../../src/domain/ports/store.ts";
import { callOf } from "../../support/call.ts";
import { orderChange, world } from "../../support/world.ts";
import { refused } from "../fixture.ts";
import { left } from "./abandoned-operation.ts";
import { recordCalls } from "./faults.ts";

const request = (target: Target, also: readonly Target[]) => ({
  target,
  also,
  what: "test",
  subject: "test",
  context: callOf("test"),
});

test("operate() of two VMs in opposite orders: both are done, and each is in the history of both", async () => {
  const w = await world({ claimWaitMs: 60_000 });
  const [web, db] = [await w.create({ name: "web" }), await w.create({ name: "db" })];
  const set = (target: Target, other: Target, order: "hd" | "hd_cdrom") =>
    operate(w.ports, { ...request(target, [other]), intent: (now) => [orderChange(now, order)] });
  const rounds = Array.from({ length: 6 }, (_, round) => (round % 4 < 2 ? ("hd" as const) : ("hd_cdrom" as const)));
  const outcomes = await Promise.all(
    rounds.map((order, round) => (round % 2 === 0 ? set(web, db, order) : set(db, web, order))),
  );
  const done = outcomes.filter(({ changed }) => changed).map(({ operation }) => operation);
  expect(done.length).toBeGreaterThan(1);
  for (const one of [web, db]) {
    const ids = (await w.store.operations({ target: one, limit: 50 })).map(({ id }) => id);
    expect(ids).toEqual(expect.arrayContaining(done));
  }
});

test("operate() claims things that are no VM, and is refused while somebody else has one", async () => {
  const w = await world({ claimWaitMs: 0 });
  const at = await w.create();
  const template = thing("local", "template", "debian");
  const held = await w.store.claim(template, { actor: "other", what: "seal" }, 0);
  const change = operate(w.ports, { ...request(at, [template]), intent: (now) => [orderChange(now, "hd")] });
  await refused("VM_BUSY", change);
  await held.release();
  const done = await operate(w.ports, { ...request(at, [template]), intent: (now) => [orderChange(now, "hd")] });
  expect((await w.store.operation(done.operation!))?.targets).toEqual([at, template]);
});

test("operate() settles what was left on a further VM first, and holds all of that meanwhile", async () => {
  const w = await world();
  const [web, db] = [await w.create({ name: "web" }), await w.create({ name: "db" })];
  const open = await left(w, db, (now) => [orderChange(now, "hd")], { targets: [db, web] }, ["applying"]);
  const { ports, calls } = recordCalls(w.ports);
  const { changed } = await operate(ports, { ...request(web, []), intent: (now) => [orderChange(now, "hd")] });
  expect(changed).toBe(true);
  expect((await w.store.operation(open.id))?.status).toBe("rolled_back");
  expect(calls.filter((call) => call === "claim")).toHaveLength(2);
});

test("recoverAll() settles an operation over several once, under a claim of all of them", async () => {
  const w = await world();
  const [web, db] = [await w.create({ name: "web" }), await w.create({ name: "db" })];
  const open = await left(w, db, (now) => [orderChange(now, "hd")], { targets: [db, web] }, ["applying"]);
  const settled: string[] = [];
  await recoverAll(w.ports, new AbortController().signal, ({ operation, status }) =>
    settled.push(`${operation.id} ${status}`),
  );
  expect(settled).toEqual([`${open.id} rolled_back`]);
});

test("a change of one step takes three durable writes: claim, begin, settle", async () => {
  const w = await world();
  const at = await w.create();
  const { ports, calls } = recordCalls(w.ports);
  await operate(ports, { ...request(at, []), intent: (now) => [orderChange(now, "hd")] });
  expect(calls.filter((call) => ["claim", "begin", "advance", "settle"].includes(call))).toEqual([
    "claim",
    "begin",
    "settle",
  ]);
  await (await w.store.claim(at, { actor: "test", what: "look" }, 0)).release();
});
