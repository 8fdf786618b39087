// Goal: a domain that somebody else made comes out changed in nothing but what was asked, and what other programs do to a
// managed one is noticed. Method: virsh is the other program; definitions are compared as canonical XML, passwords
// included. What it cannot see: edits in the few microseconds between the last look and the write, which libvirt's lack of
// a compare-and-swap leaves open.

import { copyFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { PROCEDURE } from "../../../plugins/libvirt/client/procedure.ts";
import { installedSystem, makeDisk } from "../../fixtures/boot-images.ts";
import { waitForLine } from "../../support/guest.ts";
import { openProxy } from "../../support/libvirt-proxy.ts";
import { codesOf, openTestbed, refusalOf, SYSTEM, type Testbed, type ToolName } from "../../support/vm.ts";
import { canonical } from "./canonical.ts";

const { isos } = inject("guests");
let testbed: Testbed;
beforeAll(async () => {
  testbed = await openTestbed({ isos: Object.values(isos) });
});
afterAll(() => testbed?.close());

/** A definition without Bootwright's own tag, line by line. */
const linesOf = async (vm: string): Promise<string[]> =>
  canonical((await testbed.xml(vm)).replace(/<bootwright:vm [^>]*\/>/, ""))
    .replace(/^metadata\n\/metadata\n/m, "")
    .split("\n");
/** What is in one and not in the other. */
function difference(before: readonly string[], after: readonly string[]) {
  const without = (lines: readonly string[], others: readonly string[]) => {
    const left = [...others];
    return lines.filter((line) => {
      const at = left.indexOf(line);
      if (at >= 0) left.splice(at, 1);
      return at < 0 && !line.startsWith("/");
    });
  };
  return { gone: without(before, after), come: without(after, before) };
}
const nothing = { gone: [], come: [] };
const disk = (path: string, target: string, boot = "") =>
  `<disk type='file' device='disk'><driver name='qemu' type='qcow2' cache='none' discard='unmap'/><source file='${path}'/>
   <target dev='${target}' bus='virtio'/><serial>SN-${target}</serial>${boot}</disk>`;
const drive = (target: string, boot = "", path = "") =>
  `<disk type='file' device='cdrom'><driver name='qemu' type='raw'/>${path && `<source file='${path}'/>`}
   <target dev='${target}' bus='sata'/><readonly/>${boot}</disk>`;
const domain = (name: string, { os = "", devices = "" }) => `<domain type='qemu'
   xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'><name>${name}</name>
  <title>Somebody's &amp; nobody's</title><description>two lines
  of text</description>
  <metadata><other:app xmlns:other='https://example.org/app'><!-- kept --><other:note level="007"><![CDATA[a < b]]></other:note></other:app></metadata>
  <memory unit='MiB'>64</memory><vcpu>1</vcpu>
  <os><type arch='x86_64' machine='q35'>hvm</type>${os}</os><features><acpi/></features>
  <devices>${devices}
   <serial type='pty'><log file='${logOf(name)}' append='off'/><target port='0'/></serial>
   <graphics type='vnc' port='-1' autoport='yes' listen='127.0.0.1' passwd='s3cret&amp;'/><video><model type='vga'/></video>
  </devices>
  <qemu:commandline><qemu:arg value='-fw_cfg'/><qemu:arg value='name=opt/org.example/a,string=b'/></qemu:commandline></domain>`;
const logOf = (name: string) => join(testbed.directory, "images", `${name}.serial.log`);
async function foreignDisk(name: string, boots = true): Promise<string> {
  const path = join(testbed.directory, "images", `${name}.qcow2`);
  await makeDisk(path, { format: "qcow2", ...(boots && installedSystem) });
  return path;
}

describe("a domain that somebody else made", () => {
  test("with orders in its devices keeps all but what was asked", async () => {
    const name = testbed.name("devices");
    const [data, system] = [await foreignDisk("devices-data", false), await foreignDisk("devices-system")];
    const devices = [
      ...[disk(data, "vda"), disk(system, "vdb", "<boot order='2'/>")],
      ...[drive("sda"), drive("sdb", "<boot order='1'/>", testbed.iso(isos.both))],
      `<interface type='user'><mac address='52:54:00:12:34:56'/><model type='virtio'/><boot order='5'/></interface>`,
    ];
    await testbed.define(domain(name, { devices: devices.join("") }));
    const original = await linesOf(name);
    expect(original.join()).toContain("s3cret&");

    const { adopted } = await testbed.call("adopt_vm", { vm: name });
    expect(adopted[0]?.vm).toMatchObject({ managed: true, boot_order: "cdrom_hd", disk_path: system });
    expect(difference(original, await linesOf(name))).toEqual(nothing);
    expect(await testbed.xml(name)).toMatch(/<bootwright:vm [^>]*revision="1"[^>]*status="NotInstalled"/);

    await testbed.call("set_boot_order", { vm: name, boot_order: "hd" });
    const ordered = await linesOf(name);
    expect(difference(original, ordered)).toEqual({ gone: ['boot order="1"'], come: [] });
    expect((await testbed.call("get_boot_order", { vm: name })).other_devices).toEqual(["network:52:54:00:12:34:56"]);

    await testbed.call("attach_iso", { vm: name, drive: "sda", iso_path: testbed.iso(isos.data) });
    const attached = await linesOf(name);
    expect(difference(ordered, attached)).toEqual({ gone: [], come: [`source file="${testbed.iso(isos.data)}"`] });
    expect((await testbed.call("get_vm", { vm: name })).current_media).toBe(testbed.iso(isos.both));

    await testbed.call("detach_iso", { vm: name, drive: "sda" });
    await testbed.call("set_boot_order", { vm: name, boot_order: "cdrom_hd" });
    expect(difference(original, await linesOf(name))).toEqual(nothing);

    await testbed.call("set_boot_order", { vm: name, boot_order: "hd" });
    await testbed.call("start_vm", { vm: name });
    await waitForLine(logOf(name), /^DISK-BIOS/);
    await testbed.call("stop_vm", { vm: name, force: true });
    expect(difference(ordered, await linesOf(name))).toEqual(nothing);
  });

  test("with an order of classes keeps its style, its password and all else", async () => {
    const name = testbed.name("classes");
    const devices = disk(await foreignDisk("classes"), "vda") + drive("sda", "", testbed.iso(isos.both));
    const os = "<boot dev='cdrom'/><boot dev='hd'/><boot dev='network'/>";
    await testbed.define(domain(name, { os, devices }));
    const original = await linesOf(name);
    await testbed.call("adopt_vm", { vm: name });
    await testbed.call("set_boot_order", { vm: name, boot_order: "hd_cdrom" });
    const after = await linesOf(name);
    expect(difference(original, after)).toEqual(nothing);
    expect(after.filter((line) => line.startsWith("boot "))).toEqual([
      'boot dev="hd"',
      'boot dev="cdrom"',
      'boot dev="network"',
    ]);
    await testbed.call("start_vm", { vm: name });
    await waitForLine(logOf(name), /^DISK-BIOS/);
    await testbed.call("stop_vm", { vm: name, force: true });
  });

  test("whose system disk and ISO drive come second is converted, and boots from them", async () => {
    const name = testbed.name("second");
    const system = await foreignDisk("second-system");
    await testbed.define(
      domain(name, {
        os: "<boot dev='cdrom'/><boot dev='hd'/>",
        devices: disk(system, "vdb") + drive("sdb", "", testbed.iso(isos.both)),
      }),
    );
    await testbed.call("adopt_vm", { vm: name });
    // Somebody puts a disk and a drive in front of them, and <boot dev> reaches the first of a class only.
    const text = await testbed.xml(name);
    const more = disk(await foreignDisk("second-data", false), "vda") + drive("sda");
    await testbed.define(text.replace("<disk ", `${more}<disk `));
    expect(await testbed.call("get_vm", { vm: name })).toMatchObject({ boot_order: "custom", disk_path: system });
    const before = await linesOf(name);

    await testbed.call("set_boot_order", { vm: name, boot_order: "hd_cdrom" });
    expect(difference(before, await linesOf(name))).toEqual({
      gone: ['boot dev="cdrom"', 'boot dev="hd"'],
      // The two that the classes had come to mean keep their places, behind ours.
      come: ['boot order="4"', 'boot order="1"', 'boot order="3"', 'boot order="2"'],
    });
    expect(await testbed.call("get_boot_order", { vm: name })).toMatchObject({
      boot_order: "hd_cdrom",
      devices: ["disk:vdb", "cdrom:sdb", "cdrom:sda", "disk:vda"],
    });
    await testbed.call("start_vm", { vm: name });
    await waitForLine(logOf(name), /^DISK-BIOS/);
    await testbed.call("set_boot_order", { vm: name, boot_order: "cdrom_hd", restart: true, force: true });
    await waitForLine(logOf(name), /^CD-BIOS/);
    await testbed.call("stop_vm", { vm: name, force: true });
  });

  test("that is not managed is never changed", async () => {
    const name = testbed.name("theirs");
    await testbed.define(domain(name, { devices: disk(await foreignDisk("theirs"), "vda") + drive("sda") }));
    const before = await testbed.xml(name);
    expect(await refusalOf(testbed.call("set_boot_order", { vm: name, boot_order: "hd" }))).toMatchObject({
      code: "VM_NOT_MANAGED",
      next: "adopt_vm",
    });
    expect(await refusalOf(testbed.call("start_vm", { vm: name }))).toMatchObject({ code: "VM_NOT_MANAGED" });
    expect(await testbed.xml(name)).toBe(before);
  });
});

describe("another program", () => {
  test("that edits between the look and the write stops the operation, and its edit stays", async () => {
    const path = join(testbed.directory, "proxy.sock");
    const name = testbed.name("edited");
    let looks: number[] = [];
    let editAt = 0;
    const proxy = await openProxy(path, async ({ procedure, count }) => {
      if (procedure !== PROCEDURE.DOMAIN_GET_XML_DESC) return;
      looks.push(count);
      if (looks.length === editAt) await testbed.virsh("setmem", name, "70000", "--config");
    });
    const settings = ["--connection", `local=libvirt,uri=${SYSTEM}?socket=${path}`];
    const theirs = await openTestbed({ isos: [isos.both], settings, unwatched: true });
    try {
      const small = { memory_mb: 128, disk_size_gb: 1, network: "none", acceleration: "tcg" };
      await theirs.call("create_vm", { name, ...small, iso_path: theirs.iso(isos.both) });
      const calls: [ToolName, Record<string, unknown>][] = [
        ["set_boot_order", { vm: name, boot_order: "hd_cdrom" }],
        ["detach_iso", { vm: name }],
        ["complete_installation", { vm: name }],
        ["start_vm", { vm: name }],
      ];
      for (const [tool, args] of calls) {
        await testbed.virsh("setmem", name, "131072", "--config");
        // The decision's look, the backup, and then the look right before the write.
        [looks, editAt] = [[], 3];
        const refused = await refusalOf(theirs.call(tool, args));
        editAt = 0;
        expect([tool, refused.code, refused.outcome?.status]).toEqual([tool, "VM_CHANGED_MEANWHILE", "rolled_back"]);
        expect(await testbed.virsh("dominfo", name)).toMatch(/Used memory: +70000 KiB/);
        expect(await testbed.xml(name)).toContain(`<source file='${theirs.iso(isos.both)}'/>`);
        expect(await theirs.call("get_vm", { vm: name })).toMatchObject({
          power: "off",
          boot_order: "cdrom_hd",
          installation_status: "NotInstalled",
        });
      }
    } finally {
      await theirs.close();
      await proxy.close();
    }
  });

  test("that changed the boot order is noticed, and a start puts back what was asked for", async () => {
    const vm = await testbed.installed("drift", { boot_order: "hd", iso_path: testbed.iso(isos.both) });
    const theirOrder = async () =>
      testbed.define((await testbed.xml(vm.name)).replace("<boot dev='hd'/>", "<boot dev='cdrom'/><boot dev='hd'/>"));
    await theirOrder();
    expect(codesOf(await testbed.call("get_vm", { vm: vm.uuid }))).toContain("BOOT_ORDER_DRIFT");
    const reasserted = await testbed.call("start_vm", { vm: vm.uuid });
    expect(reasserted.vm.boot_order).toBe("hd");
    expect(reasserted.notes).toEqual([expect.stringMatching(/hd was restored/)]);
    await waitForLine(vm.serial_log, /^DISK-BIOS/);
    await testbed.call("stop_vm", { vm: vm.uuid, force: true });

    await theirOrder();
    const adopted = await testbed.call("start_vm", { vm: vm.uuid, on_drift: "adopt" });
    expect(adopted.vm.boot_order).toBe("cdrom_hd");
    expect(codesOf(adopted.vm)).not.toContain("BOOT_ORDER_DRIFT");
    await waitForLine(vm.serial_log, /^CD-BIOS/);
    expect(await testbed.call("get_boot_order", { vm: vm.uuid })).toMatchObject({ requested_boot_order: "cdrom_hd" });
    await testbed.call("stop_vm", { vm: vm.uuid, force: true });
  });

  test("that saved the VM's state keeps it from starting until that is discarded", async () => {
    const vm = await testbed.installed("saved", { boot_order: "cdrom_hd", iso_path: testbed.iso(isos.both) });
    await testbed.call("start_vm", { vm: vm.uuid });
    await waitForLine(vm.serial_log, /^CD-BIOS/);
    await testbed.virsh("managedsave", vm.name);
    await testbed.call("set_boot_order", { vm: vm.uuid, boot_order: "hd" });
    expect(codesOf(await testbed.call("check_boot", { vm: vm.uuid }))).toContain("SAVED_STATE");
    const refused = await refusalOf(testbed.call("start_vm", { vm: vm.uuid }));
    expect(refused.code).toBe("BLOCKED_BY_FINDINGS");
    expect(codesOf(refused.details as { findings: { code: string }[] })).toEqual(["SAVED_STATE"]);

    const asked = testbed.asked.length;
    const started = await testbed.call("start_vm", { vm: vm.uuid, discard_saved_state: true });
    expect(testbed.asked.slice(asked)).toEqual([expect.stringMatching(/saved state/)]);
    expect(codesOf(started.vm)).not.toContain("SAVED_STATE");
    await waitForLine(vm.serial_log, /^DISK-BIOS/);
    await testbed.call("stop_vm", { vm: vm.uuid, force: true });
  });

  test("that took the ISO away keeps the VM from starting, whatever is accepted, until it is detached", async () => {
    const copy = join(testbed.directory, "isos", "short-lived.iso");
    await copyFile(isos.both, copy);
    const vm = await testbed.installed("iso-gone", { iso_path: copy });
    await rm(copy);
    const refused = await refusalOf(testbed.call("start_vm", { vm: vm.uuid }));
    expect(codesOf(refused.details as { findings: { code: string }[] })).toEqual(["ISO_MISSING"]);
    expect(await refusalOf(testbed.call("start_vm", { vm: vm.uuid, accept: ["ISO_MISSING"] }))).toMatchObject({
      code: "BACKEND_FAILED",
      message: expect.stringContaining("No such file or directory"),
      outcome: { status: "rolled_back" },
    });
    expect(await testbed.call("get_vm", { vm: vm.uuid })).toMatchObject({ power: "off", power_reason: "failed" });
    await testbed.call("detach_iso", { vm: vm.uuid });
    await testbed.call("start_vm", { vm: vm.uuid });
    await waitForLine(vm.serial_log, /^DISK-BIOS/);
    expect(await testbed.call("get_vm", { vm: vm.uuid })).not.toHaveProperty("power_reason");
    await testbed.call("stop_vm", { vm: vm.uuid, force: true });
  });

  test("that started, paused or removed the VM is seen at the next look", async () => {
    const vm = await testbed.installed("elsewhere", { boot_order: "hd" });
    await testbed.virsh("start", vm.name);
    await waitForLine(vm.serial_log, /^DISK-BIOS/);
    expect(await testbed.call("get_vm", { vm: vm.uuid })).toMatchObject({ power: "running" });
    await testbed.virsh("suspend", vm.name);
    expect(await testbed.call("get_vm", { vm: vm.uuid })).toMatchObject({ power: "paused" });
    expect(await refusalOf(testbed.call("start_vm", { vm: vm.uuid }))).toMatchObject({ code: "VM_PAUSED" });
    await testbed.virsh("destroy", vm.name);
    await testbed.virsh("undefine", vm.name);
    expect(await testbed.call("get_vm", { vm: vm.uuid })).toMatchObject({ power: "missing", managed: true });
    await testbed.call("delete_vm", { vm: vm.uuid });
    expect(await refusalOf(testbed.call("get_vm", { vm: vm.uuid }))).toMatchObject({ code: "VM_NOT_FOUND" });
  });
});
