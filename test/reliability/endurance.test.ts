// Goal: one server process does ten thousand operations and holds no more in the end than after the first of them. Method: a
// real process on VMs in memory, looked at from outside in windows; VMs come and go, calls are refused and undone. Cannot
// see: what grows only after days, and what the libvirt client holds, which endurance.real.test.ts looks at.

// @module-tag process
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { type BootwrightClient, openClient } from "../support/client.ts";
import { memorySettings, temporaryDirectory } from "../support/memory.ts";
import { figure, scaled } from "../support/scale.ts";
import { type Held, heldBy, inWords, measuredCommand, measuredEnv } from "./endurance-process.ts";

const VMS = 8;
const WINDOWS = 6;

/** Does one round on one VM: eight operations, one refusal and some looks. Returns the number of its operations. */
async function round({ call, refusal }: BootwrightClient, vm: string): Promise<number> {
  await call("attach_iso", { vm, iso_path: "installer.iso" });
  await call("set_boot_order", { vm, boot_order: "hd" });
  const { operation } = await call("set_boot_order", { vm, boot_order: "cdrom_hd" });
  await call("undo_operation", { operation });
  await call("complete_installation", { vm, boot_order: "cdrom_hd" });
  await call("begin_reinstallation", { vm });
  await call("cancel_installation", { vm });
  await call("detach_iso", { vm });
  expect(await refusal("set_boot_order", { vm, boot_order: "cdrom" })).toMatchObject({ code: "BLOCKED_BY_FINDINGS" });
  await call("get_vm", { vm });
  await call("list_operations", { limit: 10 });
  return 8;
}

/** Makes a VM and deletes it: only a bounded part of its history may stay. */
async function passing({ call }: BootwrightClient, number: number): Promise<number> {
  const { vm } = await call("create_vm", { name: `passing-${number}`, iso_path: "installer.iso" });
  await call("delete_vm", { vm: vm.uuid });
  return 2;
}

describe("one server process", () => {
  test("holds no more after its last operation than after its first", async () => {
    const wanted = scaled(10_000, 600);
    const data = join(temporaryDirectory(), "data");
    const server = await openClient({
      settings: memorySettings(data, "installsAfterMs=never"),
      command: measuredCommand,
      env: measuredEnv(data),
      confirm: () => true,
    });
    onTestFinished(() => server.close());
    for (let index = 0; index < VMS; index++) await server.call("create_vm", { name: `vm${index}`, boot_order: "hd" });
    const held: Held[] = [];
    const from = performance.now();
    let done = 0;
    for (let number = 0; done < wanted; number++) {
      const made = await Promise.all([
        ...Array.from({ length: VMS }, (_, index) => round(server, `vm${index}`)),
        passing(server, number),
      ]);
      done += made.reduce((sum, some) => sum + some, 0);
      if (done >= (wanted * (held.length + 1)) / WINDOWS) held.push(await heldBy(server.pid()!, data));
    }
    const seconds = (performance.now() - from) / 1000;
    figure("endurance: operations of one server on VMs in memory", done);
    figure("endurance: operations per second", Math.round(done / seconds));
    for (const [index, window] of held.entries()) {
      figure(`endurance: after ${Math.round((wanted * (index + 1)) / WINDOWS)} operations`, inWords(window));
    }
    // The first window warms up: code is compiled, caches fill.
    const [, first, ...rest] = held as [Held, Held, ...Held[]];
    const last = rest.at(-1)!;
    expect(last.files).toBeLessThanOrEqual(first.files + 2);
    expect(last.heapMib).toBeLessThan(first.heapMib + 15);
    expect(last.rssMib).toBeLessThan(first.rssMib * 1.5 + 50);
    expect(last.holders).toBe(1);
    expect(last.logMib).toBeLessThanOrEqual(8);
    // 200 operations of a VM stay, 20 definitions, 10,000 events; what came since the last pruning is above that.
    const since = 60;
    expect(last.rows.operations).toBeLessThanOrEqual(VMS * 200 + 2 * (done / 66) + 2 + since);
    expect(last.rows.definitions).toBeLessThanOrEqual(VMS * 20 + done / 66 + 1 + since);
    expect(last.rows.events).toBeLessThanOrEqual(10_000 + 3 * since);
    expect([last.rows.claims, last.rows.vms]).toEqual([0, VMS]);
    expect(last.rows.confirmations).toBeLessThanOrEqual(1_000);
    expect(server.stderr()).toBe("");
  }, 1_800_000);
});
