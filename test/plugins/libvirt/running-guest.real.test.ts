// Goal: what is done to a running VM is what its guest sees, and what the next cold start has. Method: one installed guest
// with a real kernel that has AHCI; its agent runs the commands that look from inside (the product does not use it). What
// it cannot see: guests of other makers, whose udev may let go of a tray by itself.
// @module-tag long

import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { waitForLine } from "../../support/guest.ts";
import { agentAnswers, inGuest, openTestbed, refusalOf, type Testbed, type TestbedVm } from "../../support/vm.ts";

const { isos } = inject("guests");
const GIB = 1024 ** 3;
let testbed: Testbed;
let vm: TestbedVm;
const inside = (command: string) => inGuest(testbed, vm.name, command);
/** The guest's kernel learns of a change of media by an I/O error on the first read. */
const noticed = "dd if=/dev/sr0 bs=2048 skip=16 count=1 >/dev/null 2>&1";
/** The volume label of what is in the guest's drive, as the guest's own kernel reads it. */
const label = () => inside(`${noticed}; dd if=/dev/sr0 bs=1 skip=32808 count=32 2>&1 | head -n 1`);
const mount = () => inside(`${noticed}; mount -r -t iso9660 /dev/sr0 /mnt`);
/** The tray opens as if the guest's user had pressed the button: the medium is still named, and cannot be read. */
const openTray = () =>
  testbed.virsh("qemu-monitor-command", vm.name, '{"execute":"blockdev-open-tray","arguments":{"id":"sata0-0-0"}}');
/** What libvirt says is in the drive: now, and after the next cold start. */
const media = async () => ({
  live: sourceOf(await testbed.virsh("dumpxml", vm.name)),
  next: sourceOf(await testbed.virsh("dumpxml", "--inactive", vm.name)),
});
const sourceOf = (xml: string) =>
  /device='cdrom'>(?:(?!<\/disk>)[\s\S])*<source file='([^']*)'/.exec(xml)?.[1] ?? "empty";

beforeAll(async () => {
  testbed = await openTestbed({ isos: [isos.data, isos.both] });
  vm = await testbed.withSystem("running", { boot_order: "hd_cdrom" }, "generic");
  await testbed.call("start_vm", { vm: vm.uuid });
  await waitForLine(vm.serial_log, /BOOTED-FROM-DISK 1$/, { timeoutMs: 170_000 });
  await agentAnswers(testbed, vm.name);
  await inside("modprobe -a isofs sr_mod");
}, 240_000);
afterAll(() => testbed?.close());

describe("the CD-ROM drive of a running VM", () => {
  test("an ISO that is attached is seen by the guest, and stays for the next start", async () => {
    expect(await label()).toMatch(/No medium found/);
    const answer = await testbed.call("attach_iso", { vm: vm.uuid, iso_path: testbed.iso(isos.data) });
    expect(answer).toMatchObject({ takes_effect: "now", vm: { current_media: testbed.iso(isos.data), pending: [] } });
    expect(await label()).toMatch(/^CD_DATA /);
    expect(await mount()).toBe("");
    expect(await inside("cat /mnt/readme.txt; umount /mnt")).toMatch(/^Made by Boot/);
    expect(await media()).toEqual({ live: testbed.iso(isos.data), next: testbed.iso(isos.data) });
  });

  test("another ISO takes the place of the one that is there", async () => {
    await testbed.call("attach_iso", { vm: vm.uuid, iso_path: testbed.iso(isos.both) });
    expect(await label()).toMatch(/^CD_BOTH /);
    expect(await media()).toEqual({ live: testbed.iso(isos.both), next: testbed.iso(isos.both) });
  });

  test("the same ISO once more changes nothing", async () => {
    const answer = await testbed.call("attach_iso", { vm: vm.uuid, iso_path: testbed.iso(isos.both) });
    expect(answer).toMatchObject({ changed: false, steps: [] });
  });

  test("a tray that was opened from inside the guest is closed by attaching the ISO again", async () => {
    await openTray();
    expect(await testbed.virsh("dumpxml", vm.name)).toContain("tray='open'");
    const seen = await testbed.call("get_vm", { vm: vm.uuid });
    expect(seen).not.toHaveProperty("current_media");
    expect(seen.next_media).toBe(testbed.iso(isos.both));
    expect((await testbed.call("attach_iso", { vm: vm.uuid, iso_path: testbed.iso(isos.both) })).changed).toBe(true);
    expect(await label()).toMatch(/^CD_BOTH /);
  });

  test("detaching empties it, now and for the next start; a second time changes nothing", async () => {
    const answer = await testbed.call("detach_iso", { vm: vm.uuid });
    expect(answer).toMatchObject({ changed: true, takes_effect: "now" });
    expect(await label()).toMatch(/No medium found/);
    expect(await media()).toEqual({ live: "empty", next: "empty" });
    expect((await testbed.call("detach_iso", { vm: vm.uuid })).changed).toBe(false);
  });

  test("detaching what only the next start would have empties that alone", async () => {
    await testbed.virsh("change-media", vm.name, "sda", testbed.iso(isos.data), "--insert", "--config");
    expect((await testbed.call("get_vm", { vm: vm.uuid })).next_media).toBe(testbed.iso(isos.data));
    await testbed.call("detach_iso", { vm: vm.uuid });
    expect(await media()).toEqual({ live: "empty", next: "empty" });
  });

  test("detaching from an open tray leaves nothing that a reset would close it on", async () => {
    await testbed.call("attach_iso", { vm: vm.uuid, iso_path: testbed.iso(isos.data) });
    await openTray();
    await testbed.call("detach_iso", { vm: vm.uuid });
    expect(await media()).toEqual({ live: "empty", next: "empty" });
  });
});

describe("a tray that the guest has locked", () => {
  const locked = async () => {
    await testbed.call("attach_iso", { vm: vm.uuid, iso_path: testbed.iso(isos.data) });
    expect(await mount()).toBe("");
  };

  test("is tried twice and then refused, with the definitions as they were", async () => {
    await locked();
    const refused = await refusalOf(testbed.call("detach_iso", { vm: vm.uuid }));
    expect(refused).toMatchObject({ code: "TRAY_LOCKED", next: "detach_iso", outcome: { status: "rolled_back" } });
    expect(await media()).toEqual({ live: testbed.iso(isos.data), next: testbed.iso(isos.data) });
    expect(await inside("cat /mnt/readme.txt")).toMatch(/^Made by/);
  });

  test("opens at the second try when the guest has unlocked it in the meantime", async () => {
    const detaching = testbed.call("detach_iso", { vm: vm.uuid });
    // libvirt's first try takes 5 s, and the second comes 3 s after it. Neither can be seen from outside.
    await new Promise((wake) => setTimeout(wake, 5_500));
    expect(await inside("umount /mnt")).toBe("");
    expect((await detaching).changed).toBe(true);
    expect(await media()).toEqual({ live: "empty", next: "empty" });
  });

  test("is opened by force, and the guest's files are gone with it", async () => {
    await locked();
    await testbed.call("detach_iso", { vm: vm.uuid, force: true });
    expect(await media()).toEqual({ live: "empty", next: "empty" });
    expect(await inside("echo 3 > /proc/sys/vm/drop_caches; dd if=/dev/sr0 of=/dev/null bs=2048 count=1 2>&1")).toMatch(
      /No medium|I\/O error|can't open/,
    );
    await inside("umount /mnt");
  });
});

describe("the disk", () => {
  const sectors = () => inside("cat /sys/block/vda/size");

  test("grows while the guest runs, and the guest sees it at once", async () => {
    expect(Number(await sectors()) * 512).toBe(GIB);
    const answer = await testbed.call("resize_disk", { vm: vm.uuid, size_gb: 2 });
    expect(answer).toMatchObject({ changed: true, takes_effect: "now", vm: { disk_size: 2 } });
    expect(Number(await sectors()) * 512).toBe(2 * GIB);
    expect(await testbed.call("get_disk_info", { vm: vm.uuid })).toMatchObject({ virtual_size_bytes: 2 * GIB });
  });

  test("does not shrink, whatever the hypervisor would do", async () => {
    const refused = await refusalOf(testbed.call("resize_disk", { vm: vm.uuid, size_gb: 1.5 }));
    expect(refused).toMatchObject({ code: "SHRINK_REFUSED", details: { currentBytes: 2 * GIB } });
    expect(Number(await sectors()) * 512).toBe(2 * GIB);
  });

  test("is left alone where it has the size already", async () => {
    expect((await testbed.call("resize_disk", { vm: vm.uuid, size_gb: 2 })).changed).toBe(false);
  });

  test("grows while the VM is off, and the system on it is whole", async () => {
    await testbed.call("stop_vm", { vm: vm.uuid });
    await testbed.call("resize_disk", { vm: vm.uuid, size_gb: 2.5 });
    await testbed.call("start_vm", { vm: vm.uuid });
    await waitForLine(vm.serial_log, /BOOTED-FROM-DISK 2$/, { timeoutMs: 120_000 });
    const disk = await waitForLine(vm.serial_log, /DISK vda sectors=(\d+)/);
    expect(Number(disk.match[1]) * 512).toBe(2.5 * GIB);
    await testbed.call("stop_vm", { vm: vm.uuid, force: true });
    expect(await refusalOf(testbed.call("resize_disk", { vm: vm.uuid, size_gb: 1 }))).toMatchObject({
      code: "SHRINK_REFUSED",
    });
    expect(await testbed.call("get_disk_info", { vm: vm.uuid, check: true })).toMatchObject({ corrupt: false });
  });
});
