// Goal: the main job needs no daemon. Method: an MCP client on the real server, with QEMU alone; the unattended installer,
// a server that is killed on the way, and the system that it put on the disk. What it cannot see: KVM and HVF.

import { chmod, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { type BootwrightClient, openClient } from "../../support/client.ts";
import { waitForLine } from "../../support/guest.ts";
import { workDirectory } from "../../support/guest-names.ts";
import { codesOf } from "../../support/vm.ts";

const { installerIso } = inject("guests");
let directory: string;
let server: BootwrightClient;
const open = () =>
  openClient({
    settings: [
      ...["--data", join(directory, "data"), "--iso-dir", dirname(installerIso), "--connection", "local=qemu"],
    ],
    env: { XDG_CACHE_HOME: join(directory, "cache") },
    confirm: () => true,
  });
beforeAll(async () => {
  directory = await workDirectory();
  await chmod(directory, 0o700);
  server = await open();
});
afterAll(async () => {
  try {
    const { vms } = await server.call("list_vms");
    for (const { uuid } of vms) await server.call("delete_vm", { vm: uuid, force: true });
    await server.close();
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});

const small = { memory_mb: 256, disk_size_gb: 1, cpus: 1, acceleration: "tcg" };

describe("from an installer ISO to running from the VM's own disk, with QEMU alone", () => {
  test.each(["bios", "uefi"] as const)("under %s", async (firmware) => {
    const { vm } = await server.call("create_vm", {
      name: `journey-${firmware}`,
      firmware,
      iso_path: installerIso,
      ...small,
    });
    const of = { vm: vm.uuid };
    const hears = (pattern: RegExp, after = 0) => waitForLine(vm.serial_log!, pattern, { after, timeoutMs: 120_000 });
    expect((await server.call("start_vm", of)).vm).toMatchObject({
      installation_status: "Installing",
      current_boot_device: "cdrom",
      accelerator: "tcg",
    });
    const first = await hears(/INSTALL-COMPLETE run=1/);
    // It resets right then, and what it boots after that is confirmed once it has read something.
    await expect.poll(async () => (await server.call("get_vm", of)).current_boot_certainty).toBe("confirmed");

    // The server dies, the VM does not: it installs once more, and the next server finds it there.
    process.kill(server.pid()!, "SIGKILL");
    server = await open();
    if (firmware === "bios") await hears(/INSTALL-COMPLETE run=2/, first.end);
    const report = await server.call("check_boot", of);
    expect(codesOf(report)).toEqual(expect.arrayContaining(["INSTALLER_LOOP", "RUNNING_FROM_MEDIA"]));
    expect(await server.call("get_vm", of)).toMatchObject({
      power: "running",
      current_boot_device: "cdrom",
    });

    const completed = await server.call("complete_installation", { ...of, boot_order: "hd", detach_iso: true });
    expect(completed.vm).toMatchObject({ installation_status: "Installed", boot_order: "hd", power: "running" });
    await server.call("restart_vm", { ...of, force: true });
    await hears(/BOOTED-FROM-DISK 1$/);
    await hears(firmware === "bios" ? /FIRMWARE bios/ : /FIRMWARE uefi/);
    expect(await server.call("get_vm", of)).toMatchObject({
      current_boot_device: "hd",
      current_boot_certainty: "confirmed",
      pending: [],
      findings: [],
    });

    // The disk grows while the system runs, and the system sees it at its next start. It listens to its power button.
    await server.call("resize_disk", { ...of, size_gb: 2 });
    await server.call("restart_vm", of);
    await hears(/BOOTED-FROM-DISK 2$/);
    await hears(/^DISK vda sectors=4194304/);
    expect((await server.call("stop_vm", of)).vm.power).toBe("off");
    await server.call("delete_vm", of);
    expect(await server.refusal("get_vm", of)).toMatchObject({ code: "VM_NOT_FOUND" });
  });
});
