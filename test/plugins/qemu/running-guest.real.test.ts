// Goal: what is done to a running VM is what its guest sees. Method: one installed guest with a real kernel that has AHCI;
// its agent runs the commands that look from inside. What it cannot see: guests of other makers, whose udev may let go of a
// tray by itself.

import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { askAgent } from "../../../plugins/qemu/qmp/agent.ts";
import type { State } from "../../../src/domain/model/state.ts";
import { driveOf } from "../../../src/domain/model/vm.ts";
import { putInstalled } from "../../fixtures/installed-disk.ts";
import { waitForLine } from "../../support/guest.ts";
import { watcherOf } from "../../support/watcher.ts";
import { medium } from "../contract-cases.ts";
import { codeOf, type Harness, harnessOn, start } from "../contract-harness.ts";
import { openQemuHarness, type QemuHarness } from "./harness.ts";

const { isos } = inject("guests");
const GIB = 1024 ** 3;
let testbed: QemuHarness;
let harness: Harness;
let clear: () => Promise<void>;
let uuid: string;

const ask = async (execute: string, args: Record<string, unknown>): Promise<Record<string, unknown>> => {
  const [answer] = await askAgent(testbed.session.pathsOf(uuid).agent, [{ execute, arguments: args }], {
    timeoutMs: 10_000,
  });
  return answer as Record<string, unknown>;
};
async function inside(command: string): Promise<string> {
  const { pid } = await ask("guest-exec", { path: "/bin/sh", arg: ["-c", command], "capture-output": true });
  for (;;) {
    const status = await ask("guest-exec-status", { pid });
    const text = (data: unknown) => Buffer.from((data as string) ?? "", "base64").toString();
    if (status.exited) return (text(status["out-data"]) + text(status["err-data"])).trim();
  }
}
/** The guest's kernel learns of a change of media by an I/O error on the first read. */
const noticed = "dd if=/dev/sr0 bs=2048 skip=16 count=1 >/dev/null 2>&1";
const label = () => inside(`${noticed}; dd if=/dev/sr0 bs=1 skip=32808 count=32 2>&1 | head -n 1`);
const mount = () => inside(`${noticed}; mount -r -t iso9660 /dev/sr0 /mnt`);
const look = () => harness.look(uuid);
const inDrive = ({ vm }: State) => ({ live: driveOf(vm!.live!, "sda"), next: driveOf(vm!.next, "sda") });

beforeAll(async () => {
  testbed = await openQemuHarness([isos.data, isos.both]);
  ({ harness, clear } = harnessOn({
    backend: testbed.backend,
    isos: { bootable: testbed.iso(isos.both), data: testbed.iso(isos.data) },
    spec: { acceleration: "tcg", memoryBytes: 256 * 1024 ** 2 },
    close: testbed.close,
  }));
  const made = await harness.make({ order: "hd_cdrom" });
  uuid = made.target.uuid;
  await putInstalled(made.vm!.next.disks[0]!.path!, "generic");
  const watcher = await watcherOf(testbed.backend);
  await harness.apply(await look(), start);
  await waitForLine(made.vm!.next.serialLog!, /BOOTED-FROM-DISK 1$/, { timeoutMs: 200_000 });
  // The agent's channel is one of the things that are told.
  for (let heard = 0; !(await look()).vm!.agent; heard += 1) await watcher.waitForHint(() => true, heard, 60_000);
  await watcher.stop();
  await inside("modprobe -a isofs sr_mod");
}, 300_000);
afterAll(async () => {
  await clear?.();
  await testbed?.close();
});

describe("the guest's agent", () => {
  test("says which of the VM's disks its root file system is on", async () => {
    const info = await testbed.backend.guest!.info(uuid);
    expect(info).toMatchObject({ osId: "mini" });
    expect(info!.filesystems.find(({ mountpoint }) => mountpoint === "/")).toMatchObject({ disks: ["vda"] });
  });
});

describe("the CD-ROM drive", () => {
  test("shows the guest what is put in, what takes its place, and that it is empty", async () => {
    expect(await label()).toMatch(/No medium found/);
    await harness.apply(await look(), medium(await look(), testbed.iso(isos.data)));
    expect(await label()).toMatch(/^CD_DATA /);
    await harness.apply(await look(), medium(await look(), testbed.iso(isos.both)));
    expect(await label()).toMatch(/^CD_BOTH /);
    await harness.apply(await look(), medium(await look()));
    expect(await label()).toMatch(/No medium found/);
  });

  test("that was opened from inside names its medium still, and is closed by putting it in again", async () => {
    await harness.apply(await look(), medium(await look(), testbed.iso(isos.data)));
    await testbed.session.withQmp(uuid, {}, (qmp) => qmp.execute("blockdev-open-tray", { id: "sda" }));
    expect(inDrive(await look()).live).toMatchObject({ path: testbed.iso(isos.data), tray: "open" });
    await harness.apply(await look(), medium(await look(), testbed.iso(isos.data)));
    expect(inDrive(await look()).live).toMatchObject({ path: testbed.iso(isos.data), tray: "closed" });
    expect(await label()).toMatch(/^CD_DATA /);
  });

  test("that the guest has locked is refused with TRAY_LOCKED, and nothing has changed", async () => {
    expect(await mount()).toBe("");
    const before = await look();
    expect(await codeOf(harness.apply(before, medium(before)))).toBe("TRAY_LOCKED");
    expect(await codeOf(harness.apply(before, medium(before, testbed.iso(isos.both))))).toBe("TRAY_LOCKED");
    expect(inDrive(await look())).toEqual(inDrive(before));
    expect(await inside("cat /mnt/readme.txt")).toMatch(/^Made by/);
  });

  test("that the guest unlocks in the meantime opens at the second try", async () => {
    const before = await look();
    const ejecting = harness.apply(before, medium(before));
    await expect.poll(() => inside("umount /mnt && echo gone")).toMatch(/gone/);
    expect(inDrive(await ejecting).live).toEqual({ target: "sda", bus: "sata", tray: "closed" });
  });

  test("that the guest has locked is opened by force", async () => {
    await harness.apply(await look(), medium(await look(), testbed.iso(isos.data)));
    expect(await mount()).toBe("");
    const change = medium(await look());
    const { vm } = await harness.apply(await look(), { ...change, force: true } as typeof change);
    expect(driveOf(vm!.live!, "sda")).toEqual({ target: "sda", bus: "sata", tray: "closed" });
    await inside("umount -l /mnt");
  });
});

describe("the disk", () => {
  test("that grows is larger for the guest at once", async () => {
    const { vm, target } = await look();
    const { path } = vm!.next.disks[0]!;
    const before = await harness.look(target.uuid, { disks: [path!] });
    await harness.apply(before, { kind: "disk.resize", disk: "vda", path: path!, sizeBytes: 2 * GIB });
    expect(await inside("cat /sys/block/vda/size")).toBe("4194304");
  });
});

describe("the power button", () => {
  test("turns the VM off, which is told apart from a power cut", async () => {
    const { vm } = await harness.apply(await look(), { kind: "power.stop", force: false, timeoutMs: 60_000 });
    expect(vm).toMatchObject({ power: "off", stopReason: "shutdown" });
  });
});
