/** Databases as version 0.1.0 left them: `settled` when it had ended, `restart` and `create` when it was killed in the middle
 * of restart_vm (the guest did not answer the power button yet) and of create_vm (the disk was there, the definition not).
 * Written by its own program on VMs in memory; the keys are those of its fingerprints. */
import { createHmac } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { startMachine } from "../../plugins/memory/guest.ts";
import memory from "../../plugins/memory/index.ts";
import type { Session } from "../../plugins/memory/machine.ts";
import type { Operation } from "../../src/domain/changes/operation.ts";
import { operate } from "../../src/domain/engine/operate.ts";
import { recoverAll, type Settled } from "../../src/domain/engine/recover.ts";
import { undoChanges } from "../../src/domain/engine/undo-operation.ts";
import { DomainError } from "../../src/domain/error.ts";
import type { State } from "../../src/domain/model/state.ts";
import type { Ports } from "../../src/domain/ports/operation-ports.ts";
import { bindBackend } from "../../src/plugin-host/backends.ts";
import { callOf } from "../support/call.ts";
import { defineVm, guestOf, machineOf, putDisk } from "../support/simulator.ts";
import { pluginContext } from "../support/world.ts";
import { databaseOf, open, sql, temporaryDirectory } from "./fixture.ts";

type Name = "settled" | "restart" | "create";
const fixture = (file: string) => readFileSync(new URL(`fixtures/0.1.0-${file}`, import.meta.url));

/** The database in a directory of its own, and the machines that were there when it was left. */
async function opened(name: Name): Promise<{ ports: Ports; session: Session; directory: string }> {
  const directory = temporaryDirectory();
  writeFileSync(databaseOf(directory), gunzipSync(fixture(`${name}.sqlite.gz`)), { mode: 0o600 });
  const key = fixture(`${name}.key`);
  const fingerprint = (meaning: string) => createHmac("sha256", key).update(meaning).digest("base64url");
  const session = await memory.open(memory.config.parse({ installsAfterMs: "never" }), {
    ...pluginContext("local"),
    fingerprint,
  });
  const store = await open(directory);
  const backend = bindBackend(memory, session, "local");
  const ports = { backend, store, newId: () => crypto.randomUUID(), now: () => new Date(), claimWaitMs: 1_000 };
  return { ports, session, directory };
}

const newest = async ({ store }: Ports): Promise<Operation> => (await store.operations({ limit: 1 }))[0]!;

async function settleAll(ports: Ports): Promise<Settled[]> {
  const settled: Settled[] = [];
  await recoverAll(ports, new AbortController().signal, (one) => settled.push(one));
  return settled;
}

/** Puts the machine of an operation there as it was when the operation began. */
function bringBack(session: Session, { before }: Operation): void {
  const { uuid, name, next, claim } = before!.vm!;
  defineVm(session, { uuid, name, next, ...(claim && { claim }) });
  for (const { path, virtualBytes } of Object.values(before!.disks))
    putDisk(session, { path, virtualBytes: virtualBytes!, content: "data", bootsBios: true });
}

test("every operation of 0.1.0 is read with its steps, what it began with and what it does in words", async () => {
  const { ports } = await opened("settled");
  const operations = await ports.store.operations({ limit: 100 });
  expect(operations.map(({ what, status }) => `${what} ${status}`).reverse()).toEqual(
    [
      ...["create_vm", "start_vm", "stop_vm", "complete_installation", "attach_iso", "detach_iso", "undo_operation"],
      ...["resize_disk", "create_vm", "set_boot_order", "begin_reinstallation", "cancel_installation"],
      ...["restore_backup", "delete_vm"],
    ].map((what) => `${what} applied`),
  );
  for (const { steps, before, what } of operations) {
    expect(before?.target.uuid, what).toBeDefined();
    expect(steps.map(({ unreadable }) => unreadable).filter(Boolean), what).toEqual([]);
    for (const { summary, change } of steps) expect(summary, change.kind).toMatch(/ /);
  }
  const completion = operations.find(({ what }) => what === "complete_installation")!;
  expect(completion.before).toMatchObject({ vm: { name: "web", power: "off" }, record: { status: "Installing" } });
  expect(completion.steps.map(({ summary }) => summary).sort()).toEqual([
    "empty CD-ROM drive sda",
    "record the installation status Installed",
    "set the boot order to hd",
    "write the metadata tag (revision 3, Installed)",
  ]);
});

test("the definitions that 0.1.0 kept, its records and its events are there", async () => {
  const { ports } = await opened("settled");
  const [record] = await ports.store.records();
  expect(record).toMatchObject({ name: "web", status: "NotInstalled", origin: "created" });
  const kept = await ports.store.definitions(record!, 50);
  expect(kept).toHaveLength(9);
  expect(JSON.parse((await ports.store.definition(kept[0]!.operation))!)).toMatchObject({ name: "web" });
  const events = await ports.store.listEvents({ limit: 100 });
  expect(events.map(({ event: { type } }) => type)).toContain("installation.completed");
  expect(await ports.store.lastNamed("db", ["local"])).toEqual((await newest(ports)).target);
});

test("an operation of 0.1.0 is undone while what it did is still there", async () => {
  const { ports, session } = await opened("settled");
  const resized = (await ports.store.operations({ limit: 100 })).find(({ what }) => what === "attach_iso")!;
  bringBack(session, resized);
  const undo = (state: State) => undoChanges(resized, state);
  const request = {
    target: resized.target,
    what: "undo_operation",
    intent: undo,
    subject: "test",
    context: callOf("test"),
  };
  await expect(operate(ports, request)).rejects.toMatchObject({ code: "UNDO_IMPOSSIBLE" });
  const { uuid, name, claim } = resized.before!.vm!;
  defineVm(session, { uuid, name, next: resized.steps[0]!.goal.vm!.next, ...(claim && { claim }) });
  expect((await operate(ports, request)).after.vm?.next.drives[0]?.path).toBeUndefined();
});

test("a restart that 0.1.0 was killed in is finished where the VM is off by now", async () => {
  const { ports, session } = await opened("restart");
  const left = await newest(ports);
  expect(left).toMatchObject({ what: "restart_vm", status: "begun" });
  bringBack(session, left);
  expect(await settleAll(ports)).toMatchObject([{ operation: { id: left.id }, status: "applied" }]);
  expect(guestOf(session, left.target.uuid)).toBeDefined();
  expect((await newest(ports)).status).toBe("applied");
});

test("a restart that 0.1.0 was killed in is rolled back where the guest runs on as it did", async () => {
  const { ports, session } = await opened("restart");
  const left = await newest(ports);
  const { uuid, run } = left.before!.vm!;
  bringBack(session, left);
  session.count = Number(run!.split("/").at(-1)) - 1;
  startMachine(session, machineOf(session, uuid), "live");
  expect((await ports.backend.observe(uuid))?.run).toBe(run);
  expect(await settleAll(ports)).toMatchObject([{ operation: { id: left.id }, status: "rolled_back" }]);
  expect((await ports.backend.observe(uuid))?.run).toBe(run);
});

test("a creation that 0.1.0 was killed in is rolled back, and its disk is gone", async () => {
  const { ports, session, directory } = await opened("create");
  const left = await newest(ports);
  expect(left).toMatchObject({ what: "create_vm", status: "begun" });
  const [disk] = left.steps.flatMap(({ artifacts }) => artifacts);
  putDisk(session, { path: disk!, virtualBytes: 4 * 1024 ** 3 });
  expect(await settleAll(ports)).toMatchObject([{ operation: { id: left.id }, status: "rolled_back" }]);
  expect(session.files.has(disk!)).toBe(false);
  expect(await ports.backend.list()).toEqual([]);
  expect((await newest(ports)).steps.map(({ status }) => status)).toEqual(["undone", "planned"]);
  expect(sql(directory, "select schema from operations order by begun_at desc limit 1")).toEqual([{ schema: 2 }]);
});

test("an operation of a kind that is no more is shown, and neither undone nor settled by guessing", async () => {
  const { ports, session, directory } = await opened("restart");
  const left = await newest(ports);
  bringBack(session, left);
  sql(directory, `update operations set steps = replace(steps, '"power.stop"', '"power.hibernate"')`, "select 1");
  const shown = await newest(ports);
  expect(shown.steps[0]).toMatchObject({ change: { kind: "power.hibernate" }, summary: "power.hibernate" });
  expect(shown.steps[0]?.unreadable).toContain('this version has no change "power.hibernate"');
  expect(await settleAll(ports)).toMatchObject([{ status: "unknown" }]);
  expect((await newest(ports)).error?.message).toContain("power.hibernate");
  const stopped = (await ports.store.operations({ limit: 100 })).find(({ what }) => what === "stop_vm")!;
  expect(() => undoChanges(stopped, { target: stopped.target, disks: {}, isos: {} })).toThrow(DomainError);
});
