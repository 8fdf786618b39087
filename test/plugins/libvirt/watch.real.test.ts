// Goal: whatever happens to a guest is told as it happens, with what no later look could find, and a server that runs then
// makes one event of it. Method: each event is
// provoked on the host's libvirt, by a guest of a few hundred bytes, by virsh as the other program, or by the kernel of an
// installed guest. What it cannot see: a guest's own eject, for which QEMU's monitor stands in, and events of other versions
// of libvirt.
// @module-tag long

import { execFileSync } from "node:child_process";
import { chmod, mkdir, readFile, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import libvirt from "../../../plugins/libvirt/index.ts";
import type { LibvirtSession } from "../../../plugins/libvirt/session.ts";
import type { EventType } from "../../../src/domain/model/event.ts";
import type { Vm } from "../../../src/domain/model/vm.ts";
import type { Backend } from "../../../src/domain/ports/backend.ts";
import type { Hint } from "../../../src/domain/ports/backend-groups.ts";
import { bindBackend } from "../../../src/plugin-host/backends.ts";
import { makeIso } from "../../fixtures/boot-images.ts";
import { agentAnswers, openTestbed, SYSTEM, type Testbed, type TestbedVm, watched } from "../../support/vm.ts";
import { type Watcher, watcherOf } from "../../support/watcher.ts";
import { pluginContext } from "../../support/world.ts";
import { isRoot } from "./client/private-daemon.ts";
import { writingSector } from "./client/tcg-guest.ts";

const { isos } = inject("guests");
const MIB = 1024 ** 2;
let testbed: Testbed;
let session: LibvirtSession;
let backend: Backend;
let watcher: Watcher;
const observe = async (uuid: string) => (await backend.observe(uuid))!;
const of =
  (uuid: string, type?: string) =>
  ({ uuid: heard, occurrence }: Hint): boolean =>
    heard === uuid && (type === undefined || occurrence?.type === type);
const occurrences = (uuid: string, after: number) =>
  watcher.hints
    .slice(after)
    .filter(of(uuid))
    .flatMap(({ occurrence }) => occurrence ?? []);

/** Of the QEMU that a running VM is. */
const pidOf = async ({ name }: TestbedVm) => Number(await readFile(`/run/libvirt/qemu/${name}.pid`, "utf8"));

/** Looks whenever something is told of a VM, as whoever watches does, until it is as expected. */
async function until(uuid: string, fits: (vm: Vm) => boolean, timeoutMs?: number): Promise<Vm> {
  for (;;) {
    const place = watcher.hints.length;
    const vm = await observe(uuid);
    if (fits(vm)) return vm;
    await watcher.waitForHint(of(uuid), place, timeoutMs);
  }
}

/** The one event of this type that the testbed's server made of what happened to a VM. */
async function eventOf(uuid: string, type: EventType): Promise<Record<string, unknown>> {
  const heard = () => testbed.call("list_events", { vm: uuid, type: [type] });
  await expect.poll(async () => (await heard()).events).not.toEqual([]);
  const [event, ...more] = (await heard()).events;
  expect(more).toEqual([]);
  return event!.data;
}

beforeAll(async () => {
  testbed = await openTestbed({ isos: [isos.both, isos.resets] });
  await makeIso(join(testbed.directory, "isos/off.iso"), { bios: { text: "CD-OFF", offAfterMs: 200 } });
  const own = { cacheDirectory: join(testbed.directory, "cache") };
  session = await libvirt.open({ uri: SYSTEM }, pluginContext("local", own));
  backend = bindBackend(libvirt, session, "local");
  watcher = await watcherOf(backend);
  await testbed.call("list_vms");
  await watched(testbed);
});
afterAll(async () => {
  await watcher?.stop();
  if (session) await libvirt.close(session);
  await testbed?.close();
});

test("the watcher's first hint is for all VMs", () => {
  expect(watcher.hints[0]).toEqual({});
});

describe("the watcher of a definition", () => {
  test("hints when another program makes it, writes to it, and removes it", async () => {
    const name = testbed.name("defined");
    const xml = (more: string) => `<domain type='qemu'><name>${name}</name><uuid>${uuid}</uuid><memory>65536</memory>
      <os><type arch='x86_64' machine='q35'>hvm</type></os>${more}</domain>`;
    const uuid = crypto.randomUUID();
    await watcher.hintOf(uuid, () => testbed.define(xml("")));
    await watcher.hintOf(uuid, () => testbed.define(xml("<vcpu>2</vcpu>")));
    const metadata = [
      "metadata",
      uuid,
      "--config",
      "--uri",
      "https://bootwright.test/1",
      "--key",
      "t",
      "--set",
      "<a/>",
    ];
    await watcher.hintOf(uuid, () => testbed.virsh(...metadata));
    await watcher.hintOf(uuid, () => testbed.virsh("undefine", uuid));
  });
});

describe("the watcher of a VM's power", () => {
  test("tells of a start, and that a guest turned itself off", async () => {
    const vm = await testbed.create("off", { iso_path: join(testbed.directory, "isos/off.iso"), boot_order: "cdrom" });
    expect((await observe(vm.uuid)).stopReason).toBeUndefined();
    const after = watcher.hints.length;
    await watcher.hintOf(vm.uuid, () => testbed.virsh("start", vm.uuid));
    const off = await until(vm.uuid, ({ power }) => power === "off");
    expect(off.stopReason).toBe("shutdown");
    expect(occurrences(vm.uuid, after)).toEqual([]);
    expect(off).not.toHaveProperty("agent");
    expect(await eventOf(vm.uuid, "vm.stopped")).toMatchObject({ reason: "shutdown", managed: true });
    expect((await backend.list()).find(({ uuid }) => uuid === vm.uuid)).toEqual(off);
  });

  test("tells of a guest's reset as rebooted, with the run that goes on", async () => {
    const vm = await testbed.create("resets", { iso_path: testbed.iso(isos.resets), boot_order: "cdrom" });
    const after = watcher.hints.length;
    await testbed.virsh("start", vm.uuid);
    await watcher.waitForHint(of(vm.uuid, "rebooted"), after);
    const { run, agent } = await observe(vm.uuid);
    expect(agent).toBe(false);
    expect(occurrences(vm.uuid, after)[0]).toEqual({ type: "rebooted", run });
    await watcher.hintOf(vm.uuid, () => testbed.virsh("destroy", vm.uuid));
    expect(await until(vm.uuid, ({ power }) => power === "off")).toMatchObject({ stopReason: "power_cut" });
    expect(await eventOf(vm.uuid, "vm.stopped")).toMatchObject({ reason: "power_cut", run });
  });

  test("tells of a reset that ends the run, which libvirt itself does not tell from a guest that turned itself off", async () => {
    const vm = await testbed.create("ends", { iso_path: testbed.iso(isos.resets), boot_order: "cdrom" });
    const after = watcher.hints.length;
    await testbed.virsh("start", vm.uuid);
    const { run } = await observe(vm.uuid);
    await testbed.virsh("set-lifecycle-action", vm.uuid, "reboot", "destroy", "--live");
    expect(await until(vm.uuid, ({ power }) => power === "off")).toMatchObject({ stopReason: "shutdown" });
    expect(occurrences(vm.uuid, after)).toContainEqual({ type: "rebooted", run });
  });

  test("tells that a guest is suspended, and that it is saved", async () => {
    const vm = await testbed.create("saved", { iso_path: testbed.iso(isos.both), boot_order: "cdrom" });
    await testbed.virsh("start", vm.uuid);
    await watcher.hintOf(vm.uuid, () => testbed.virsh("suspend", vm.uuid));
    await until(vm.uuid, ({ power }) => power === "paused");
    await eventOf(vm.uuid, "vm.paused");
    await watcher.hintOf(vm.uuid, () => testbed.virsh("managedsave", vm.uuid));
    const saved = await until(vm.uuid, ({ power }) => power === "off");
    expect(saved).toMatchObject({ savedState: true, stopReason: "saved" });
    expect(await eventOf(vm.uuid, "vm.stopped")).toMatchObject({ reason: "saved" });
  });

  test("tells that QEMU crashed", async () => {
    const vm = await testbed.create("crashes", { iso_path: testbed.iso(isos.both), boot_order: "cdrom" });
    await testbed.virsh("start", vm.uuid);
    await watcher.hintOf(vm.uuid, async () => process.kill(await pidOf(vm), "SIGKILL"));
    expect(await until(vm.uuid, ({ power }) => power === "off")).toMatchObject({ stopReason: "crashed" });
    await eventOf(vm.uuid, "vm.crashed");
  });
});

describe("an installed guest", () => {
  let vm: TestbedVm;
  beforeAll(async () => {
    vm = await testbed.withSystem("installed", { iso_path: testbed.iso(isos.both), boot_order: "hd_cdrom" }, "generic");
  });

  test("has no agent that answers until its system is up, and then tells that it has, after a reset as well", async () => {
    expect(await backend.guest!.info(vm.uuid)).toBeUndefined();
    const after = watcher.hints.length;
    await testbed.virsh("start", vm.uuid);
    expect((await observe(vm.uuid)).agent).toBe(false);
    expect(await backend.guest!.info(vm.uuid)).toBeUndefined();
    await testbed.virsh("reset", vm.uuid);
    const { run } = await until(vm.uuid, ({ agent }) => agent === true, 170_000);
    expect(occurrences(vm.uuid, after)[0]).toEqual({ type: "rebooted", run });
    expect(await eventOf(vm.uuid, "vm.rebooted")).toMatchObject({ run, reboots: 1 });
    expect(await eventOf(vm.uuid, "agent.connected")).toMatchObject({ run });
    await agentAnswers(testbed, vm.uuid);
    const said = await backend.guest!.info(vm.uuid);
    expect(said).toMatchObject({ osId: "mini", osName: "Mini Linux 1 (test fixture)" });
    expect(said!.filesystems).toContainEqual({ mountpoint: "/", type: "ext4", disks: ["vda"] });
  });

  test("says nothing while it hangs, and is not waited for without end", async () => {
    const pid = await pidOf(vm);
    process.kill(pid, "SIGSTOP");
    try {
      expect(await backend.guest!.info(vm.uuid)).toBeUndefined();
    } finally {
      process.kill(pid, "SIGCONT");
    }
    await agentAnswers(testbed, vm.uuid);
    expect(await backend.guest!.info(vm.uuid)).toMatchObject({ osId: "mini" });
  });

  test("is reported when its tray is opened as by the button of the drive", async () => {
    // The guest has no program to eject with; QEMU's monitor opens the tray just as its own eject does.
    const open = '{"execute":"blockdev-open-tray","arguments":{"id":"sata0-0-0"}}';
    await watcher.hintOf(vm.uuid, () => testbed.virsh("qemu-monitor-command", vm.uuid, open));
    const { live } = await until(vm.uuid, ({ live }) => live?.drives[0]?.tray === "open");
    expect(live!.drives[0]).toHaveProperty("path");
    expect(await eventOf(vm.uuid, "media.ejected_by_guest")).toMatchObject({ drive: live!.drives[0]!.target });
  });

  test("is reported when it gets a device, and when it loses it", async () => {
    const xml = join(testbed.directory, "tablet.xml");
    await writeFile(xml, "<input type='tablet' bus='usb'><alias name='ua-tablet'/></input>");
    await watcher.hintOf(vm.uuid, () => testbed.virsh("attach-device", vm.uuid, xml, "--live"));
    await watcher.hintOf(vm.uuid, () => testbed.virsh("detach-device", vm.uuid, xml, "--live"));
  });
});

describe.skipIf(!isRoot)("a file system that fills up", () => {
  const mounted = () => join(testbed.directory, "full");
  const diskOf = (word: string) => join(mounted(), `${word}.raw`);
  const begin = async (word: string) => {
    const disk = diskOf(word);
    await testbed.define(`<domain type='qemu'><name>${testbed.name(word)}</name><memory unit='MiB'>64</memory>
      <os><type arch='x86_64' machine='q35'>hvm</type><boot dev='hd'/></os><devices>
      <disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='${disk}'/>
        <target dev='vdb' bus='virtio'/></disk></devices></domain>`);
    const uuid = await testbed.virsh("domuuid", testbed.name(word));
    const after = watcher.hints.length;
    await testbed.virsh("start", uuid);
    return { uuid, after };
  };
  beforeAll(async () => {
    await mkdir(mounted());
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=16m,mode=777", "tmpfs", mounted()]);
    for (const disk of ["fills", "late"].map(diskOf)) {
      await writeFile(disk, writingSector());
      await truncate(disk, 64 * MIB);
      await chmod(disk, 0o666);
    }
  });
  afterAll(() => void execFileSync("umount", ["-l", mounted()]));

  test("tells that the space is low before a write fails, and that it failed on which disk", async () => {
    const { uuid, after } = await begin("fills");
    await watcher.waitForHint(of(uuid, "io_error"), after, 120_000);
    const { run } = await until(uuid, ({ powerReason }) => powerReason === "io_error");
    const heard = occurrences(uuid, after);
    expect(heard[0]).toEqual({ type: "space_low", run, target: "vdb", freeBytes: expect.any(Number) });
    const low = heard.flatMap((one) => (one.type === "space_low" ? one.freeBytes : []));
    expect(low[0]).toBeGreaterThan(0);
    expect(low[0]).toBeLessThanOrEqual(4 * MIB);
    expect([...low].sort((a, b) => b - a)).toEqual(low);
    expect(heard.find(({ type }) => type === "io_error")).toEqual({
      type: "io_error",
      run,
      target: "vdb",
      reason: "enospc",
    });
    expect(await eventOf(uuid, "disk.space_low")).toMatchObject({ run, disk: "vdb", managed: false });
    expect(await eventOf(uuid, "disk.io_error")).toMatchObject({ run, disk: "vdb", reason: "enospc" });
  });

  test("tells at once at a start where the space is low already", async () => {
    const { uuid, after } = await begin("late");
    const heard = await watcher.waitForHint(of(uuid, "space_low"), after);
    expect(heard.occurrence).toMatchObject({ target: "vdb" });
  });
});
