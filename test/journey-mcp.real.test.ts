// Goal: a VM gets from an installer ISO to its own disk on real libvirt, over MCP. Method: an MCP client on the real server, an unattended installer that
// reboots into itself as installers do, and a system on the disk that counts its boots; what is true is what the guest says
// on its serial line. What it cannot see: KVM, distributions' own installers.

import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { waitForLine } from "./support/guest.ts";
import { codesOf, openTestbed, refusalOf, type Testbed } from "./support/vm.ts";

const { installerIso, isos } = inject("guests");
let testbed: Testbed;
beforeAll(async () => {
  testbed = await openTestbed({ isos: [installerIso, isos.both] });
});
afterAll(() => testbed?.close());

describe("from an installer ISO to running from the VM's own disk", () => {
  test.each(["bios", "uefi"] as const)("under %s", async (firmware) => {
    const { call } = testbed;
    const vm = await testbed.create(`journey-${firmware}`, {
      firmware,
      memory_mb: 256,
      iso_path: testbed.iso(installerIso),
    });
    const of = { vm: vm.uuid };
    const hears = (pattern: RegExp, after = 0) => waitForLine(vm.serial_log, pattern, { after, timeoutMs: 120_000 });

    const started = await call("start_vm", of);
    expect(started.vm).toMatchObject({ installation_status: "Installing", current_boot_device: "cdrom" });
    const first = await hears(/INSTALL-COMPLETE run=1/);
    // It reboots by itself right then, and without anybody's help it installs again: what that boots is confirmed once it
    // has read something.
    await expect.poll(async () => (await call("get_vm", of)).current_boot_certainty).toBe("confirmed");
    expect(codesOf(await call("check_boot", of))).toContain("INSTALLER_LOOP");
    if (firmware === "bios") await hears(/INSTALL-COMPLETE run=2/, first.end);

    const completed = await call("complete_installation", { ...of, boot_order: "hd", detach_iso: true });
    expect(completed.vm).toMatchObject({ installation_status: "Installed", boot_order: "hd", power: "running" });
    expect(completed.vm).not.toHaveProperty("current_media");
    expect(completed.vm).not.toHaveProperty("next_media");

    await call("restart_vm", { ...of, force: true });
    await hears(/BOOTED-FROM-DISK 1$/);
    await hears(firmware === "bios" ? /FIRMWARE bios/ : /FIRMWARE uefi/);
    expect(await call("get_vm", of)).toMatchObject({
      installation_status: "Installed",
      current_boot_device: "hd",
      current_boot_certainty: "confirmed",
      pending: [],
      findings: [],
    });

    const restarted = await call("restart_vm", of);
    expect(restarted.changed).toBe(true);
    await hears(/BOOTED-FROM-DISK 2$/);
    await call("stop_vm", { ...of, force: true });
    await call("delete_vm", of);
    expect(await refusalOf(call("get_vm", of))).toMatchObject({ code: "VM_NOT_FOUND" });
  });

  test("hd_cdrom installs once and then runs from the disk, without anybody doing anything", async () => {
    const vm = await testbed.create("self", {
      memory_mb: 256,
      iso_path: testbed.iso(installerIso),
      boot_order: "hd_cdrom",
    });
    await testbed.call("start_vm", { vm: vm.uuid });
    const installed = await waitForLine(vm.serial_log, /INSTALL-COMPLETE run=1/, { timeoutMs: 120_000 });
    const report = await testbed.call("check_boot", { vm: vm.uuid });
    expect(report.guest_reboot.boots).toBe("hd");
    expect(codesOf(report)).not.toContain("INSTALLER_LOOP");
    await waitForLine(vm.serial_log, /BOOTED-FROM-DISK 1$/, { after: installed.end, timeoutMs: 120_000 });
    await testbed.call("delete_vm", { vm: vm.uuid, force: true });
  });
});

describe("other hardware", () => {
  test.each([
    ["sata", {}, "sda"],
    ["scsi", {}, "sda"],
    ["virtio", { tpm: true, firmware: "uefi" }, "vda"],
  ] as const)("a VM with a %s disk and %o starts, and is seen as it was asked for", async (bus, more, target) => {
    const vm = await testbed.installed(`bus-${bus}`, {
      disk_bus: bus,
      iso_path: testbed.iso(isos.both),
      boot_order: "hd",
      ...more,
    });
    await testbed.call("start_vm", { vm: vm.uuid });
    await waitForLine(vm.serial_log, /^DISK-(BIOS|UEFI)/);
    const seen = await testbed.call("get_vm", { vm: vm.uuid });
    expect(seen).toMatchObject({
      power: "running",
      boot_order: "hd",
      disk_path: vm.disk_path,
      current_media: testbed.iso(isos.both),
      current_boot_device: "hd",
      current_boot_certainty: "confirmed",
    });
    const order = await testbed.call("get_boot_order", { vm: vm.uuid });
    expect(order.devices).toEqual([`disk:${target}`]);
    const live = await testbed.virsh("dumpxml", vm.name);
    expect(live).toContain(`<target dev='${target}' bus='${bus}'/>`);
    expect(/<tpm model=/.test(live)).toBe("tpm" in more);
    await testbed.call("delete_vm", { vm: vm.uuid, force: true });
  });
});
