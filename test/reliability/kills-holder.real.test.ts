// Goal: only what dead processes left is settled. Method: beside a server that was killed there are one whose call to
// libvirt takes long and one that is stopped and not dead, on VMs of their own; a new server settles the first and leaves
// the others alone. What it cannot see: a host that is suspended, processes and all.

import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { afterEach, beforeAll, describe, expect, inject, onTestFinished, test } from "vitest";
import { PROCEDURE } from "../../plugins/libvirt/client/procedure.ts";
import { type BootwrightClient, openClient } from "../support/client.ts";
import { openProxy } from "../support/libvirt-proxy.ts";
import { figure, scaled } from "../support/scale.ts";
import { openTestbed, refusalOf, SYSTEM, type Testbed, type TestbedVm } from "../support/vm.ts";
import { disagreements, lookAtAll, type Place } from "./agreement.ts";
import { chanceFrom } from "./kills-chance.ts";
import { killProcess, settingsFor } from "./kills-process.ts";

const { isos } = inject("guests");
const seed = Number(process.env.BOOTWRIGHT_SEED ?? Math.floor(Math.random() * 2 ** 31));
let testbed: Testbed;
let place: Place;
let vms: TestbedVm[];
beforeAll(async () => {
  testbed = await openTestbed({ isos: [isos.both] });
  place = {
    data: join(testbed.directory, "data"),
    images: join(testbed.directory, "images"),
    uri: SYSTEM,
    prefix: testbed.name("kill-"),
  };
  vms = [];
  for (const word of ["slow", "stopped", "dead"])
    vms.push(await testbed.create(`kill-${word}`, { iso_path: testbed.iso(isos.both), memory_mb: 64 }));
  await testbed.server.close();
  return () => testbed.close();
});
afterEach(async () => {
  expect(disagreements(await lookAtAll(place), place, { living: 0 })).toEqual([]);
});

let sockets = 0;
/** Opens a server whose first change of a definition waits until it is let go. */
async function openHeld() {
  const path = join(testbed.directory, `h${++sockets}.sock`);
  const [reached, go] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const proxy = await openProxy(path, async ({ procedure }) => {
    if (procedure !== PROCEDURE.DOMAIN_DEFINE_XML_FLAGS) return;
    reached.resolve();
    await go.promise;
  });
  const server = await open(path);
  onTestFinished(() => {
    go.resolve();
    return proxy.close();
  });
  return { server, reached: reached.promise, letGo: go.resolve };
}

async function open(socket?: string, ...more: string[]): Promise<BootwrightClient> {
  const server = await openClient({
    settings: [...settingsFor(place, join(testbed.directory, "isos"), socket), ...more],
    env: { XDG_CACHE_HOME: join(testbed.directory, "cache") },
    confirm: () => true,
  });
  onTestFinished(() => server.close());
  return server;
}

/** Returns the lines by which living servers, whichever they are, report what they settled. */
const settled = (...servers: readonly BootwrightClient[]) =>
  servers
    .flatMap((server) => server.stderr().split("\n"))
    .filter((line) => line.includes("left by a process that ended"));
const begunOn = async ({ uuid }: TestbedVm) =>
  (await lookAtAll(place)).operations.filter((one) => one.uuid === uuid && one.status === "begun");

describe("a server that starts beside others", () => {
  test("settles what the dead one left, and leaves one that is slow and one that is stopped alone", async () => {
    const [slow, stopped, dead] = await Promise.all([openHeld(), openHeld(), openHeld()]);
    const order = { boot_order: "hd_cdrom", accept: ["NOTHING_BOOTS", "DISK_BLANK"] };
    const since = Date.now();
    const calls = [slow, stopped, dead].map(({ server }, index) =>
      server.call("set_boot_order", { vm: vms[index]!.uuid, ...order }),
    );
    for (const call of calls) call.catch(() => undefined);
    await Promise.all([slow, stopped, dead].map(({ reached }) => reached));
    process.kill(stopped.server.pid()!, "SIGSTOP");
    onTestFinished(() => void killProcess(stopped.server.pid()));
    const [left] = await begunOn(vms[2]!);
    killProcess(dead.server.pid());

    const fresh = await open(undefined, "--claim-wait", "0.3");
    await expect
      .poll(() => settled(fresh, slow.server))
      .toEqual([
        `bootwright: operation ${left!.id} (set_boot_order on ${vms[2]!.uuid}), left by a process that ended: rolled_back`,
      ]);
    for (const vm of vms.slice(0, 2)) {
      const busy = await refusalOf(fresh.call("set_boot_order", { vm: vm.uuid, ...order }));
      expect(busy).toMatchObject({
        code: "VM_BUSY",
        details: { vm: vm.name, holder: "mcp:bootwright-test 1", what: "set_boot_order" },
      });
      expect(Date.parse(String(busy.details.since))).toBeGreaterThanOrEqual(since - 1);
      expect(Date.parse(String(busy.details.since))).toBeLessThanOrEqual(Date.now());
      // Looking is never in anybody's way.
      expect((await fresh.call("get_vm", { vm: vm.uuid })).boot_order).toBe("cdrom_hd");
      const { operations } = await fresh.call("list_operations", { vm: vm.uuid, status: ["begun"] });
      expect(operations).toHaveLength(1);
      expect(await begunOn(vm)).toHaveLength(1);
    }
    expect(settled(fresh, slow.server)).toHaveLength(1);

    slow.letGo();
    expect(await calls[0]).toMatchObject({ changed: true, vm: { boot_order: "hd_cdrom" } });
    stopped.letGo();
    process.kill(stopped.server.pid()!, "SIGCONT");
    expect(await calls[1]).toMatchObject({ changed: true, vm: { boot_order: "hd_cdrom" } });
    expect((await fresh.call("get_vm", { vm: vms[2]!.uuid })).boot_order).toBe("cdrom_hd");
    expect(settled(fresh, slow.server)).toHaveLength(1);
    for (const { server } of [slow, stopped, dead]) await server.close();
    await fresh.close();
  });

  test("takes a stopped process's VM over once it is killed, at the next operation", async () => {
    const held = await openHeld();
    const vm = vms[0]!.uuid;
    const ordering = held.server.call("set_boot_order", { vm, boot_order: "cdrom_hd" });
    ordering.catch(() => undefined);
    await held.reached;
    process.kill(held.server.pid()!, "SIGSTOP");
    const fresh = await open(undefined, "--claim-wait", "0.3");
    expect(await refusalOf(fresh.call("attach_iso", { vm, iso_path: testbed.iso(isos.both) }))).toMatchObject({
      code: "VM_BUSY",
    });
    killProcess(held.server.pid());
    await held.server.close();
    expect(await fresh.call("detach_iso", { vm })).toMatchObject({ changed: true, vm: { boot_order: "hd_cdrom" } });
    const { operations } = await fresh.call("list_operations", { vm, limit: 2 });
    expect(operations.map(({ tool, status }) => [tool, status])).toEqual([
      ["detach_iso", "applied"],
      ["set_boot_order", "rolled_back"],
    ]);
    await fresh.close();
  });

  test("gets an answer from a VM whose process was stopped at any moment, and it ends as it would have", {
    timeout: 900_000,
  }, async () => {
    const chance = chanceFrom(seed);
    const times = scaled(40, 4);
    const answers: Record<string, number> = {};
    const [working, fresh] = [await open(), await open(undefined, "--claim-wait", "0.3")];
    const vm = vms[1]!.uuid;
    for (let time = 0; time < times; time++) {
      const { boot_order: now } = await working.call("get_vm", { vm });
      const order = now === "hd_cdrom" ? "cdrom_hd" : "hd_cdrom";
      const begun = performance.now();
      const ordering = working.call("set_boot_order", {
        vm,
        boot_order: order,
        accept: ["NOTHING_BOOTS", "DISK_BLANK"],
      });
      await wait(chance.upTo(150));
      process.kill(working.pid()!, "SIGSTOP");
      // A size that its disk has had from the beginning: it is asked for, and nothing is done.
      const answer = await fresh.refusal("resize_disk", { vm, size_gb: 1 }, { timeoutMs: 60_000 });
      process.kill(working.pid()!, "SIGCONT");
      const code = answer?.code ?? "free";
      answers[code] = (answers[code] ?? 0) + 1;
      expect(
        ["free", "VM_BUSY", "STORE_LOCKED"],
        `seed ${seed}, stopped after ${performance.now() - begun} ms`,
      ).toContain(code);
      // It may wait for its turn behind the other's question, and is refused for that at most.
      expect(await ordering).toMatchObject({ changed: true, vm: { boot_order: order } });
    }
    figure("kills: answers while the holder was stopped", JSON.stringify(answers));
    await working.close();
    await fresh.close();
  });
});
