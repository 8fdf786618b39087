import { describe, expect, it } from "vitest";
import installationWatch from "../../../plugins/installation-watch/index.ts";
import plugin from "../../../plugins/loop-guard/index.ts";
import { openPluginHarness, type PluginHarness } from "../../support/functions.ts";
import { guestInstalls, guestLocksTray, guestPowersOff, guestReboots, putDisk } from "../../support/simulator.ts";

/** A busy machine has its time to eject. */
const openHarness = (config: object = {}) =>
  openPluginHarness([{ plugin, config: { "eject-within-ms": 60_000, ...config } }], { config: { agentAfterMs: 300 } });

async function installing({ call }: PluginHarness, at_reboot: string, more: object = {}): Promise<string> {
  const { vm } = await call("create_vm", { name: "web", iso_path: "installer.iso", ...more });
  await call("start_vm", { vm: vm.uuid, at_reboot });
  return vm.uuid;
}
const evidenceIn = async ({ call }: PluginHarness, vm: string) =>
  (await call("get_installation_status", { vm })).suggestion?.evidence;

describe("loop-guard", () => {
  it("makes a suggestion, and does no more unless the start asked for it", async () => {
    const at = await openHarness();
    const vm = await installing(at, "tell");
    guestInstalls(at.session, vm);
    await at.heard("installation.suggested");
    await at.quiet();
    expect(await evidenceIn(at, vm)).toContain("the installer runs again");
    expect(await at.call("get_vm", { vm })).toMatchObject({
      installation_status: "Installing",
      boot_order: "cdrom_hd",
      current_media: "/memory/isos/installer.iso",
    });
  });

  it("ejects the ISO at the reboot, so that the disk boots next", async () => {
    const at = await openHarness();
    const vm = await installing(at, "eject");
    guestInstalls(at.session, vm);
    await at.heard("media.detached");
    await at.heard("installation.suggested");
    expect(await evidenceIn(at, vm)).toContain("the ISO was ejected");
    expect((await at.call("check_boot", { vm })).guest_reboot.boots).toBe("hd");
    // A guest in memory has booted the medium by then; the next reset finds the disk.
    guestReboots(at.session, vm);
    await at.heard("agent.connected");
    expect(await at.call("get_vm", { vm })).toMatchObject({
      current_boot_device: "hd",
      current_boot_certainty: "confirmed",
    });
  });

  it("leaves the medium where it is once the firmware may be reading it", async () => {
    const at = await openHarness({ "eject-within-ms": 0 });
    const vm = await installing(at, "eject");
    guestInstalls(at.session, vm);
    await at.heard("installation.suggested");
    expect(await evidenceIn(at, vm)).toContain("the installer runs again");
    expect((await at.call("get_vm", { vm })).current_media).toBe("/memory/isos/installer.iso");
  });

  it.each([
    [false, "the installer runs again"],
    [true, "the ISO was ejected"],
  ])("opens a tray that the guest has locked only if it may: %s", async (force, said) => {
    const at = await openHarness({ force });
    const vm = await installing(at, "eject");
    at.session.machines.get(vm)!.guest = { ...at.session.machines.get(vm)!.guest, locksTray: true };
    guestLocksTray(at.session, vm, "sda");
    guestInstalls(at.session, vm);
    await at.heard("installation.suggested");
    expect(await evidenceIn(at, vm)).toContain(said);
  });

  it("starts the VM from its disk once the reboot has ended the run", async () => {
    const at = await openHarness();
    const vm = await installing(at, "boot_disk");
    guestInstalls(at.session, vm);
    await at.heard("agent.connected");
    await at.quiet();
    expect(await at.call("get_vm", { vm })).toMatchObject({
      power: "running",
      installation_status: "Installing",
      boot_order: "hd",
      current_boot_device: "hd",
    });
    expect((await at.call("list_operations", { vm })).operations[0]).toMatchObject({ actor: "plugin:loop-guard" });
    // The system's own reboots end nothing.
    guestReboots(at.session, vm);
    expect((await at.call("get_vm", { vm })).power).toBe("running");
  });

  it("leaves a VM off whose run ended with nothing to boot on the disk", async () => {
    const at = await openHarness();
    const vm = await installing(at, "boot_disk");
    guestPowersOff(at.session, vm);
    await at.heard("vm.stopped");
    await at.quiet();
    expect((await at.call("get_vm", { vm })).power).toBe("off");
    expect(at.logged.join("\n")).toContain("stays off");
  });

  const others = [
    ["BIOS", "an EFI system partition", { firmware: "bios" }, { bootsUefi: true }],
    ["UEFI", "code in the first sector", { firmware: "uefi" }, { bootsBios: true }],
  ] as const;

  it.each(others)("takes the ISO out of no %s VM whose disk has %s alone", async (_firmware, _what, given, content) => {
    const at = await openHarness();
    const vm = await installing(at, "eject", given);
    const { path } = await at.call("get_disk_info", { vm });
    putDisk(at.session, { path: path!, content: "data", ...content });
    guestReboots(at.session, vm);
    await at.heard("vm.rebooted");
    await at.quiet();
    expect(await evidenceIn(at, vm)).toBeUndefined();
    expect((await at.call("get_vm", { vm })).current_media).toBe("/memory/isos/installer.iso");
  });

  it.each(others)("starts no %s VM whose disk has %s alone", async (_firmware, _what, given, content) => {
    const at = await openHarness();
    const vm = await installing(at, "boot_disk", given);
    const { path } = await at.call("get_disk_info", { vm });
    putDisk(at.session, { path: path!, content: "data", ...content });
    guestReboots(at.session, vm);
    await at.heard("vm.stopped");
    await at.quiet();
    expect((await at.call("get_vm", { vm })).power).toBe("off");
    expect(at.logged.join("\n")).toContain("stays off");
  });

  it("does not start a VM that somebody stopped", async () => {
    const at = await openHarness();
    const vm = await installing(at, "boot_disk", { boot_order: "cdrom_hd" });
    at.session.machines.get(vm)!.guest = { ...at.session.machines.get(vm)!.guest, installerHonoursShutdown: true };
    await at.call("stop_vm", { vm });
    await at.heard("vm.stopped");
    await at.quiet();
    expect((await at.call("get_vm", { vm })).power).toBe("off");
  });

  it("has nothing to say of a disk that comes first, and of a reboot that is not the installer's", async () => {
    const at = await openHarness();
    const vm = await installing(at, "eject", { boot_order: "hd_cdrom" });
    guestInstalls(at.session, vm);
    await at.heard("vm.rebooted");
    await at.quiet();
    expect(await evidenceIn(at, vm)).toBeUndefined();
    expect((await at.call("get_vm", { vm })).current_media).toBe("/memory/isos/installer.iso");
  });

  it("makes one suggestion together with installation-watch", async () => {
    const at = await openPluginHarness([{ plugin }, { plugin: installationWatch }]);
    const vm = await installing(at, "tell");
    guestInstalls(at.session, vm);
    await at.heard("installation.suggested");
    await at.quiet();
    expect(await at.heard("installation.suggested")).toHaveLength(1);
  });

  it("and installation-watch take a VM from its start to Installed, with nobody calling anything", async () => {
    const at = await openPluginHarness([{ plugin }, { plugin: installationWatch, config: { auto: "true" } }], {
      config: { agentAfterMs: 10 },
    });
    const vm = await installing(at, "boot_disk");
    guestInstalls(at.session, vm);
    await at.heard("installation.completed");
    expect(await at.call("get_vm", { vm })).toMatchObject({
      installation_status: "Installed",
      boot_order: "hd",
      current_boot_device: "hd",
      power: "running",
    });
  });
});
