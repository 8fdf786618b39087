/** What a process leaves behind when it ends, settled by another that opens the same store. */
import { describe, expect, test } from "vitest";
import type { Change } from "../../../src/domain/changes/catalogue.ts";
import { stateToKeep } from "../../../src/domain/changes/journal.ts";
import type { Operation, StepStatus } from "../../../src/domain/changes/operation.ts";
import { decide } from "../../../src/domain/engine/plan.ts";
import { recoverAll, type Settled } from "../../../src/domain/engine/recover.ts";
import type { State } from "../../../src/domain/model/state.ts";
import type { Target } from "../../../src/domain/model/vm.ts";
import { openSqliteStore } from "../../../src/store/sqlite/store.ts";
import { isos, orderChange, type World, world } from "../../support/world.ts";
import { AT } from "../fixture.ts";
import { perform } from "./faults.ts";

const signal = new AbortController().signal;

/** Another process that begins an operation, comes as far as `statuses` say, and ends. */
async function leave(w: World, at: Target, changes: (now: State) => Change[], statuses: StepStatus[]): Promise<string> {
  const options = { directory: w.directory, imageDirectory: w.session.imageDirectory, connection: "local" };
  const store = await openSqliteStore({ ...options, newId: () => crypto.randomUUID() });
  const claim = await store.claim(at, { actor: "other", what: "test_tool" }, 1_000);
  const now = await w.look(at);
  const steps = decide(now, changes(now), w.backend.capabilities).steps;
  const operation: Operation = {
    id: crypto.randomUUID(),
    target: at,
    actor: "other",
    what: "test_tool",
    direction: "forward",
    status: "begun",
    before: stateToKeep(now),
    steps: steps.map((step, index) => ({ ...step, status: statuses[index] ?? "planned" })),
    begunAt: AT,
  };
  await store.begin(operation);
  await claim.release();
  await store.close();
  return operation.id;
}
const stop = { kind: "power.stop", force: true, timeoutMs: 0 } as const;
const start = { kind: "power.start", purpose: "normal", at: AT } as const;

async function settleAll({ ports }: Pick<World, "ports">): Promise<Settled[]> {
  const settled: Settled[] = [];
  await recoverAll(ports, signal, (one) => settled.push(one));
  return settled;
}

describe("recoverAll()", () => {
  test("recoverAll() settles what a process that ended left open, and says what became of it", async () => {
    const w = await world();
    const at = await w.create();
    const id = await leave(w, at, (now) => [orderChange(now, "hd")], ["applying"]);
    expect(await w.store.open()).toHaveLength(1);
    const settled = await settleAll(w);
    expect(settled.map(({ operation, status }) => [operation.id, status])).toEqual([[id, "rolled_back"]]);
    expect(await w.store.open()).toEqual([]);
    expect(await settleAll(w)).toEqual([]);
  });

  test("recoverAll() leaves a VM alone that somebody works on", async () => {
    const w = await world();
    const at = await w.create();
    const id = await leave(w, at, (now) => [orderChange(now, "hd")], ["applying"]);
    const claim = await w.store.claim(at, { actor: "somebody", what: "test_tool" }, 0);
    expect(await settleAll(w)).toEqual([]);
    await claim.release();
    expect((await w.store.operation(id))?.status).toBe("begun");
  });

  test("recoverAll() starts a VM again that was stopped for a restart", async () => {
    const w = await world();
    const at = await w.create({ isoPath: isos.installer });
    await perform(w.ports, at, [start], { look: { isoPaths: [isos.installer] } });
    const id = await leave(w, at, () => [stop, start], ["done", "applying"]);
    await w.backend.apply((await w.look(at)).vm, stop, { signal, progress: () => {} });
    expect((await w.look(at)).vm?.power).toBe("off");
    expect((await settleAll(w)).map(({ status }) => status)).toEqual(["applied"]);
    const { vm, record } = await w.look(at);
    expect(vm?.power).toBe("running");
    expect(record?.currentRun?.run).toBe(vm?.run);
    expect((await w.store.operation(id))?.steps.map(({ status }) => status)).toEqual(["done", "done"]);
  });
});

describe("operate()", () => {
  test("operate() tells whoever asks next what it settled before, and once whoever runs the program", async () => {
    const w = await world();
    const at = await w.create();
    const id = await leave(w, at, (now) => [orderChange(now, "hd")], ["applying"]);
    const [reported, logged]: [string[], string[]] = [[], []];
    const telling = {
      progress: (message: string) => void reported.push(message),
      log: (message: string) => void logged.push(message),
    };
    for (const order of ["hd_cdrom", "hd"] as const) await w.run(at, (now) => [orderChange(now, order)], telling);
    const line = `operation ${id} (test_tool on ${at.uuid}), left by a process that ended: rolled_back`;
    expect(reported[0]).toBe(line);
    expect(logged).toEqual([line]);
  });

  test("recoverAll() goes on with the other VMs where one of them fails, and tells of each that is settled", async () => {
    const w = await world();
    const [one, two] = [await w.create({ name: "one" }), await w.create({ name: "two" })];
    for (const at of [one, two]) await leave(w, at, (now) => [orderChange(now, "hd")], ["applying"]);
    const broken = new Error("the store broke");
    const failing = (await w.store.open())[0]!.id;
    const store: World["store"] = {
      ...w.store,
      settle: (id, settlement) => (id === failing ? Promise.reject(broken) : w.store.settle(id, settlement)),
    };
    const reported: string[] = [];
    const all = recoverAll({ ...w.ports, store }, signal, ({ status }) => reported.push(status));
    await expect(all).rejects.toThrow(broken);
    expect(reported).toEqual(["rolled_back"]);
    expect((await settleAll(w)).map(({ status }) => status)).toEqual(["rolled_back"]);
  });
});
