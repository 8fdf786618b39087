// Goal: from start_vm to a system that runs from its own disk, with nobody calling anything in between; exactly one word
// about it where nobody asked for more; and no false friend taken for it. Method: the unattended installer on real libvirt,
// a real server with both plugins, and what the guest says on its serial line. What it cannot see: Windows, distributions'
// own installers, and guests faster than emulation.
// @module-tag long

import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test, vi } from "vitest";
import { fixturesDir, installerIso } from "../fixtures/installer-iso.ts";
import { type BootwrightClient, openClient } from "../support/client.ts";
import { serialLines, waitForLine } from "../support/guest.ts";
import { openTestbed, type Testbed, type TestbedVm } from "../support/vm.ts";

const { installerIso: installer, isos } = inject("guests");
const FIRMWARE_WAITS_MS = 10_000;
const GUEST_MS = 180_000;
const plugins = (watch: string) => ["--plugin", "loop-guard", "--plugin", `installation-watch${watch}`];
const acting = plugins(",auto=true");

const eventually = <T>(look: () => Promise<T>) => vi.waitFor(look, { timeout: GUEST_MS, interval: 250 });

/** Until every plugin has taken what has happened: what comes next it is told as it happens. */
const settled = (server: Pick<BootwrightClient, "call">) =>
  eventually(async () => {
    const { plugins: all } = await server.call("list_plugins");
    expect(all.map(({ name, behind }) => [name, behind])).toEqual([
      ["loop-guard", 0],
      ["installation-watch", 0],
    ]);
  });

async function openGuarded(settings: readonly string[], isos: readonly string[] = [installer]): Promise<Testbed> {
  const testbed = await openTestbed({ isos, settings });
  await settled(testbed.server);
  return testbed;
}

const says = (vm: TestbedVm, pattern: RegExp, after = 0) =>
  waitForLine(vm.serial_log, pattern, { after, timeoutMs: GUEST_MS });
const statusOf = async ({ call }: Pick<Testbed, "call">, { uuid }: TestbedVm) =>
  (await call("get_vm", { vm: uuid })).installation_status;
const installed = (server: Pick<Testbed, "call">, vm: TestbedVm) =>
  eventually(async () => expect(await statusOf(server, vm)).toBe("Installed"));
const happened = async ({ call }: Pick<Testbed, "call">, { uuid }: TestbedVm, type: string) =>
  (await call("list_events", { vm: uuid, type: [type] })).events;

/** What was called that changes something, oldest first, and by whom. */
async function callers({ call }: Pick<Testbed, "call">, { uuid }: TestbedVm): Promise<string[][]> {
  const { operations } = await call("list_operations", { vm: uuid });
  return operations
    .map(({ tool, actor }) => [tool, /installation-watch|loop-guard/.exec(actor)?.[0] ?? "client"])
    .reverse();
}

describe("loop-guard and installation-watch, set to act", () => {
  let testbed: Testbed;
  beforeAll(async () => {
    const rescue = await installerIso(fixturesDir, { medium: "rescue" });
    const live = await installerIso(fixturesDir, { medium: "live" });
    const poweroff = await installerIso(fixturesDir, { after: "poweroff" });
    testbed = await openGuarded(acting, [installer, rescue, live, poweroff, isos.resets]);
  }, GUEST_MS);
  afterAll(() => testbed?.close());
  const create = async (word: string, iso: string) =>
    testbed.create(word, { memory_mb: 384, iso_path: testbed.iso(iso) });

  test(
    "the ISO is ejected at the installer's reboot, the reset boots the disk, and the installation is complete",
    async () => {
      const vm = await create("eject", installer);
      // The firmware waits before it reads anything, so that the eject comes in time on a busy machine as well.
      const os = `<bootmenu enable='yes' timeout='${FIRMWARE_WAITS_MS}'/></os>`;
      await testbed.define((await testbed.xml(vm.name)).replace("</os>", os));
      await testbed.call("start_vm", { vm: vm.uuid, at_reboot: "eject" });
      await says(vm, /BOOTED-FROM-DISK 1$/);
      await installed(testbed, vm);
      const runs = (await serialLines(vm.serial_log)).filter(({ text }) => /INSTALL-COMPLETE/.test(text));
      expect(runs).toHaveLength(1);
      const seen = await testbed.call("get_vm", { vm: vm.uuid });
      expect(seen).toMatchObject({ power: "running", current_boot_device: "hd", current_boot_certainty: "confirmed" });
      expect(seen).not.toHaveProperty("current_media");
      const [completed] = await happened(testbed, vm, "installation.completed");
      expect(completed!.data.evidence).toContain("/ (ext4) on the VM's own disk vda");
      expect((await callers(testbed, vm)).filter(([, who]) => who === "client")).toEqual([
        ["create_vm", "client"],
        ["start_vm", "client"],
      ]);
      await testbed.call("delete_vm", { vm: vm.uuid, force: true });
    },
    GUEST_MS * 2,
  );

  test(
    "the installer's reboot ends the run, the VM is started from its disk, and the installation is complete",
    async () => {
      const vm = await create("boot-disk", installer);
      const started = await testbed.call("start_vm", { vm: vm.uuid, at_reboot: "boot_disk" });
      expect(started.notes).toEqual([expect.stringContaining("running"), expect.stringContaining("powers off")]);
      await says(vm, /BOOTED-FROM-DISK 1$/);
      await installed(testbed, vm);
      expect(await testbed.call("get_vm", { vm: vm.uuid })).toMatchObject({
        power: "running",
        boot_order: "hd",
        current_boot_device: "hd",
      });
      const clients = (await callers(testbed, vm)).filter(([, who]) => who === "client");
      expect(clients.map(([tool]) => tool)).toEqual(["create_vm", "start_vm"]);
      // The system's own reboots end nothing.
      await testbed.virsh("reboot", vm.name, "--mode", "agent");
      await says(vm, /BOOTED-FROM-DISK 2$/);
      await testbed.call("delete_vm", { vm: vm.uuid, force: true });
    },
    GUEST_MS * 2,
  );

  test(
    "a live medium that runs the agent is not taken for an installed system",
    async () => {
      const vm = await create("live", await installerIso(fixturesDir, { medium: "live" }));
      await testbed.call("start_vm", { vm: vm.uuid });
      expect(await statusOf(testbed, vm)).toBe("Installing");
      await says(vm, /LIVE-SYSTEM/);
      await eventually(async () => expect(await happened(testbed, vm, "agent.connected")).toHaveLength(1));
      const guest = await eventually(async () => {
        const info = await testbed.call("get_guest_info", { vm: vm.uuid });
        expect(info.agent).toBe("answers");
        return info;
      });
      expect(guest).toMatchObject({ untrusted: true, os_id: "mini", system_disk: "vda" });
      await settled(testbed.server);
      expect(await statusOf(testbed, vm)).toBe("Installing");
      expect(await happened(testbed, vm, "installation.suggested")).toEqual([]);
      await testbed.call("delete_vm", { vm: vm.uuid, force: true });
    },
    GUEST_MS * 2,
  );

  test(
    "a medium that boots the system on the disk is not taken for the disk, though its root is there",
    async () => {
      const vm = await create("rescue", await installerIso(fixturesDir, { after: "poweroff" }));
      await testbed.call("start_vm", { vm: vm.uuid });
      await eventually(async () => expect(await happened(testbed, vm, "installation.suggested")).toHaveLength(1));
      const rescue = testbed.iso(await installerIso(fixturesDir, { medium: "rescue" }));
      await testbed.call("start_vm", { vm: vm.uuid, iso_path: rescue });
      await says(vm, /BOOTED-FROM-DISK 1$/);
      await eventually(async () => expect(await happened(testbed, vm, "agent.connected")).toHaveLength(1));
      const guest = await eventually(async () => {
        const info = await testbed.call("get_guest_info", { vm: vm.uuid });
        expect(info.agent).toBe("answers");
        return info;
      });
      expect(guest.filesystems).toContainEqual(expect.objectContaining({ mountpoint: "/", disks: ["vda"] }));
      await settled(testbed.server);
      expect(await testbed.call("get_vm", { vm: vm.uuid })).toMatchObject({
        installation_status: "Installing",
        current_boot_device: "cdrom",
      });
      await testbed.call("delete_vm", { vm: vm.uuid, force: true });
    },
    GUEST_MS * 2,
  );
});

test(
  "loop-guard and installation-watch without settings make one suggestion of an installer that loops on",
  async () => {
    const testbed = await openGuarded(plugins(""));
    onTestFinished(() => testbed.close());
    const vm = await testbed.create("tell", { memory_mb: 256, iso_path: testbed.iso(installer) });
    await testbed.call("start_vm", { vm: vm.uuid });
    await says(vm, /INSTALL-COMPLETE run=2/);
    await eventually(async () => expect((await happened(testbed, vm, "vm.rebooted")).length).toBeGreaterThanOrEqual(2));
    await settled(testbed.server);
    expect(await happened(testbed, vm, "installation.suggested")).toHaveLength(1);
    const seen = await testbed.call("get_vm", { vm: vm.uuid });
    expect(seen).toMatchObject({ installation_status: "Installing", boot_order: "cdrom_hd" });
    expect(seen.current_media).toBe(testbed.iso(installer));
    expect(seen.findings.map(({ code }) => code)).toContain("INSTALLATION_LOOKS_COMPLETE");
  },
  GUEST_MS * 2,
);

test(
  "a server that is killed before the installer's reboot leaves the start from the disk to the next one",
  async () => {
    const testbed = await openGuarded(acting);
    onTestFinished(() => testbed.close().catch(() => undefined));
    const vm = await testbed.create("killed", { memory_mb: 256, iso_path: testbed.iso(installer) });
    await testbed.call("start_vm", { vm: vm.uuid, at_reboot: "boot_disk" });
    process.kill(testbed.server.pid()!, "SIGKILL");
    await eventually(async () => expect(await testbed.virsh("domstate", vm.name)).toBe("shut off"));
    const next = await openClient({
      settings: [
        ...["--data", join(testbed.directory, "data"), "--images", join(testbed.directory, "images")],
        ...["--iso-dir", join(testbed.directory, "isos"), "--connection", "local=libvirt,uri=qemu:///system"],
        ...acting,
      ],
      env: { XDG_CACHE_HOME: join(testbed.directory, "cache") },
    });
    onTestFinished(() => next.close());
    await says(vm, /BOOTED-FROM-DISK 1$/);
    await installed(next, vm);
  },
  GUEST_MS * 2,
);
