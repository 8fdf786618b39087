// Goal: the same on the libvirt of this machine: the client, the parsed definitions and the looks at images hold no more in
// the end than after the first operations. Method: one real process, VMs that are off, looked at from outside in windows.

import { join } from "node:path";
import { afterEach, describe, expect, inject, test } from "vitest";
import { figure, scaled } from "../support/scale.ts";
import { openTestbed, type Testbed } from "../support/vm.ts";
import { type Held, heldBy, inWords, measuredCommand, measuredEnv } from "./endurance-process.ts";

const VMS = 4;
const WINDOWS = 5;

let testbed: Testbed | undefined;
afterEach(async () => {
  await testbed?.close();
  testbed = undefined;
});

/** Does one round on one VM. Returns the number of its operations. */
async function round({ call }: Testbed, vm: string, iso: string): Promise<number> {
  await call("attach_iso", { vm, iso_path: iso });
  const { operation } = await call("set_boot_order", { vm, boot_order: "cdrom_hd" });
  await call("undo_operation", { operation });
  await call("complete_installation", { vm, detach_iso: true });
  await call("begin_reinstallation", { vm });
  await call("cancel_installation", { vm });
  await call("get_vm", { vm });
  return 6;
}

describe("one server process on libvirt", () => {
  test("holds no more after its last operation than after its first", async () => {
    const wanted = scaled(2_000, 100);
    const { isos } = inject("guests");
    const heapOf = `/tmp/bw-test-${process.pid}-endurance`;
    const opened = await openTestbed({ isos: [isos.bios], command: measuredCommand, env: measuredEnv(heapOf) });
    testbed = opened;
    const vms = [];
    for (let index = 0; index < VMS; index++) vms.push(await opened.create(`endurance-${index}`, { boot_order: "hd" }));
    const held: Held[] = [];
    const from = performance.now();
    let done = 0;
    while (done < wanted) {
      const made = await Promise.all(vms.map(({ uuid }) => round(opened, uuid, opened.iso(isos.bios))));
      done += made.reduce((sum, some) => sum + some, 0);
      if (done >= (wanted * (held.length + 1)) / WINDOWS)
        held.push(await heldBy(opened.server.pid()!, join(opened.directory, "data"), heapOf));
    }
    const seconds = (performance.now() - from) / 1000;
    figure("endurance on libvirt: operations of one server", done);
    figure("endurance on libvirt: operations per second", Math.round(done / seconds));
    for (const [index, window] of held.entries()) {
      figure(`endurance on libvirt: after ${Math.round((wanted * (index + 1)) / WINDOWS)} operations`, inWords(window));
    }
    const [, first] = held as [Held, Held];
    const last = held.at(-1)!;
    expect(last.files).toBeLessThanOrEqual(first.files + 2);
    // Up to 4,096 definitions stay parsed, and every new revision of a claim tag is a new text.
    expect(last.heapMib).toBeLessThan(first.heapMib + scaled(40, 6));
    expect(last.rssMib).toBeLessThan(first.rssMib * 1.5 + 50);
    expect([last.holders, last.rows.claims, last.rows.vms]).toEqual([1, 0, VMS]);
    expect(last.logMib).toBeLessThanOrEqual(8);
    expect(last.rows.operations).toBeLessThanOrEqual(VMS * 200 + 60);
    expect(opened.server.stderr()).not.toContain("defect");
  }, 1_800_000);
});
