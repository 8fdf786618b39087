// Goal: a deletion removes what Bootwright made and nothing else. Method: what is on the disk and in libvirt before and
// after, with every kind of neighbour that a deletion could take along.

import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { installedSystem, makeDisk } from "../../fixtures/boot-images.ts";
import { waitForLine } from "../../support/guest.ts";
import { openTestbed, refusalOf, type Testbed } from "../../support/vm.ts";

const { isos } = inject("guests");
let testbed: Testbed;
beforeAll(async () => {
  testbed = await openTestbed({ isos: [isos.both] });
});
afterAll(() => testbed?.close());

const images = () => readdir(join(testbed.directory, "images"));
const isDefined = async (name: string) => (await testbed.virsh("list", "--all", "--name")).split("\n").includes(name);

test("delete_vm removes what Bootwright made, once its list was confirmed, and leaves the ISO", async () => {
  const vm = await testbed.installed("made", { iso_path: testbed.iso(isos.both), boot_order: "hd" });
  await testbed.call("start_vm", { vm: vm.uuid });
  await waitForLine(vm.serial_log, /^DISK-BIOS/);
  expect(await refusalOf(testbed.call("delete_vm", { vm: vm.uuid }))).toMatchObject({ code: "VM_MUST_BE_OFF" });

  const plan = await testbed.call("delete_vm", { vm: vm.uuid, force: true, dry_run: true });
  expect(plan.would_lose?.join()).toContain(vm.disk_path);
  expect(await isDefined(vm.name)).toBe(true);

  const asked = testbed.asked.length;
  await testbed.call("delete_vm", { vm: vm.uuid, force: true });
  expect(testbed.asked.slice(asked).join()).toContain(vm.disk_path);
  expect(await isDefined(vm.name)).toBe(false);
  expect(await images()).toEqual([]);
  expect(existsSync(testbed.iso(isos.both))).toBe(true);
});

test("delete_vm with keep_files leaves the disk, and removes a saved state with the definition", async () => {
  const vm = await testbed.installed("kept", { boot_order: "hd" });
  await testbed.call("start_vm", { vm: vm.uuid });
  await waitForLine(vm.serial_log, /^DISK-BIOS/);
  await testbed.virsh("managedsave", vm.name);
  await testbed.call("delete_vm", { vm: vm.uuid, keep_files: true });
  expect(await isDefined(vm.name)).toBe(false);
  expect(existsSync(vm.disk_path)).toBe(true);
  await execa("rm", [vm.disk_path, vm.serial_log]);
});

test("delete_vm removes a UEFI VM's variables and TPM", async () => {
  const vm = await testbed.installed("uefi", { firmware: "uefi", tpm: true, boot_order: "hd" });
  await testbed.call("start_vm", { vm: vm.uuid });
  await waitForLine(vm.serial_log, /^DISK-UEFI/, { timeoutMs: 120_000 });
  const variables = /<nvram[^>]*>([^<]+)</.exec(await testbed.virsh("dumpxml", vm.name))?.[1] ?? "none";
  expect(existsSync(variables)).toBe(true);
  const tpm = `/var/lib/libvirt/swtpm/${vm.uuid}`;
  expect(existsSync(tpm)).toBe(true);
  await testbed.call("stop_vm", { vm: vm.uuid, force: true });
  await testbed.call("delete_vm", { vm: vm.uuid });
  expect([existsSync(variables), existsSync(tpm), await isDefined(vm.name)]).toEqual([false, false, false]);
  expect(await images()).toEqual([]);
});

test("delete_vm leaves an adopted VM's disk", async () => {
  const [name, path] = [testbed.name("adopted"), join(testbed.directory, "theirs.qcow2")];
  await makeDisk(path, { format: "qcow2", ...installedSystem });
  await testbed.define(`<domain type='qemu'><name>${name}</name><memory unit='MiB'>64</memory><vcpu>1</vcpu>
    <os><type arch='x86_64' machine='q35'>hvm</type><boot dev='hd'/></os><devices><disk type='file' device='disk'>
    <driver name='qemu' type='qcow2'/><source file='${path}'/><target dev='vda' bus='virtio'/></disk></devices></domain>`);
  await testbed.call("adopt_vm", { vm: name });
  await testbed.call("delete_vm", { vm: name });
  expect([await isDefined(name), existsSync(path)]).toEqual([false, true]);
});

test("delete_vm refuses a disk that another VM's disk stands on, and leaves it with its VM", async () => {
  const base = await testbed.installed("base", { boot_order: "hd" });
  const clone = join(testbed.directory, "images", "clone.qcow2");
  await execa("qemu-img", ["create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", base.disk_path, clone]);
  const name = testbed.name("clone");
  const text = await testbed.xml(base.name);
  const other = text.replace(/<uuid>.*<\/uuid>/, "").replace(/<metadata>[\s\S]*<\/metadata>/, "");
  await testbed.define(other.replace(base.name, name).replace(base.disk_path, clone));

  const refused = await refusalOf(testbed.call("delete_vm", { vm: base.uuid }));
  expect(refused).toMatchObject({ code: "IMAGE_REFUSED", message: expect.stringContaining(name) });
  expect([await isDefined(base.name), existsSync(base.disk_path)]).toEqual([true, true]);
  // Starting it would ruin the clone, too.
  expect(await refusalOf(testbed.call("start_vm", { vm: base.uuid }))).toMatchObject({
    code: "BLOCKED_BY_FINDINGS",
    message: expect.stringContaining("DISK_HAS_CLONES"),
  });
  expect(await refusalOf(testbed.call("start_vm", { vm: base.uuid, accept: ["DISK_HAS_CLONES"] }))).toMatchObject({
    code: "BLOCKED_BY_FINDINGS",
  });
  await testbed.virsh("undefine", name);
  await testbed.call("delete_vm", { vm: base.uuid });
  expect(existsSync(base.disk_path)).toBe(false);
  await execa("rm", [clone]);
});
