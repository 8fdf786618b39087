import { describe, expect, it } from "vitest";
import plugin from "../../../plugins/installation-watch/index.ts";
import type { Backend } from "../../../src/domain/ports/backend.ts";
import { skipAhead } from "../../support/clock.ts";
import { openPluginHarness, type PluginHarness } from "../../support/functions.ts";
import { guestInstalls, guestPowersOff, guestReboots, setGuest } from "../../support/simulator.ts";
import type { WorldOptions } from "../../support/world.ts";

const openHarness = (config: object = {}, guest: WorldOptions["config"] = {}) =>
  openPluginHarness([{ plugin, config }], { config: { agentAfterMs: 10, ...guest } });

/** A VM whose installer is running. */
async function installing({ call }: PluginHarness, more: object = {}): Promise<string> {
  const { vm } = await call("create_vm", { name: "web", iso_path: "installer.iso", ...more });
  await call("start_vm", { vm: vm.uuid });
  return vm.uuid;
}
/** A system on the VM's disk, started from there while the installation is not yet answered for. */
async function installedAndStarted(at: PluginHarness): Promise<string> {
  const vm = await installing(at);
  setGuest(at.session, vm, { rebootsWhenInstalled: false });
  guestInstalls(at.session, vm);
  await at.call("set_boot_order", { vm, boot_order: "hd" });
  guestPowersOff(at.session, vm);
  await at.heard("vm.stopped");
  await at.call("start_vm", { vm });
  await at.heard("agent.connected");
  await at.quiet();
  return vm;
}
const statusOf = async ({ call }: PluginHarness, vm: string) => (await call("get_vm", { vm })).installation_status;
const suggestions = async ({ store }: PluginHarness) =>
  store.listEvents({ types: ["installation.suggested"], limit: 9 });

describe("installation-watch", () => {
  it("suggests once where the installer powered off with a boot record on the disk", async () => {
    const at = await openHarness();
    const vm = await installing(at);
    setGuest(at.session, vm, { rebootsWhenInstalled: false });
    guestInstalls(at.session, vm);
    guestPowersOff(at.session, vm);
    const [event] = await at.heard("installation.suggested");
    expect(event!.data).toMatchObject({
      evidence: "the guest powered off in the run that installs, after it wrote a boot record to disk vda",
      actor: "plugin:installation-watch",
    });
    const seen = await at.call("get_vm", { vm });
    expect(seen).toMatchObject({ installation_status: "Installing", suggestion: { by: "plugin:installation-watch" } });
    expect(seen.findings.map(({ code }) => code)).toContain("INSTALLATION_LOOKS_COMPLETE");
  });

  it("suggests once of an installer that loops, however often it reboots, and never completes for that", async () => {
    const at = await openHarness({ auto: "true" });
    const vm = await installing(at);
    guestInstalls(at.session, vm);
    await at.heard("vm.rebooted");
    await at.quiet();
    for (const count of [2, 3]) {
      // Resets that come at once are one.
      skipAhead(600);
      guestReboots(at.session, vm);
      await at.heard("vm.rebooted", count);
      await at.quiet();
    }
    expect(await suggestions(at)).toHaveLength(1);
    expect(await statusOf(at, vm)).toBe("Installing");
  });

  it("says nothing of an installer that ended with nothing on the disk", async () => {
    const at = await openHarness();
    const vm = await installing(at);
    guestReboots(at.session, vm);
    await at.heard("vm.rebooted");
    guestPowersOff(at.session, vm);
    await at.heard("vm.stopped");
    await at.quiet();
    expect(await suggestions(at)).toEqual([]);
  });

  it("says nothing of a reinstallation that ended before it wrote to the disk", async () => {
    const at = await openHarness();
    const vm = await installing(at);
    guestInstalls(at.session, vm);
    await at.call("complete_installation", { vm });
    guestPowersOff(at.session, vm);
    await at.heard("vm.stopped");
    await at.quiet();
    const before = (await suggestions(at)).length;
    await at.call("begin_reinstallation", { vm });
    await at.call("start_vm", { vm });
    guestPowersOff(at.session, vm);
    await at.heard("vm.stopped", 2);
    await at.quiet();
    expect(await suggestions(at)).toHaveLength(before);
    expect(await at.call("get_disk_info", { vm })).toMatchObject({ verdict: "boots", written_in_run: false });
  });

  it("says nothing of a stop that was asked for", async () => {
    const at = await openHarness({}, { installerHonoursShutdown: true });
    const vm = await installing(at);
    setGuest(at.session, vm, { rebootsWhenInstalled: false });
    guestInstalls(at.session, vm);
    await at.call("stop_vm", { vm });
    await at.heard("vm.stopped");
    await at.quiet();
    expect(await suggestions(at)).toEqual([]);
  });

  it("suggests on what the agent of a system on the disk says", async () => {
    const at = await openHarness();
    const vm = await installedAndStarted(at);
    expect(await statusOf(at, vm)).toBe("Installing");
    const status = await at.call("get_installation_status", { vm });
    expect(status.suggestion!.evidence).toContain("/ (ext4) on the VM's own disk vda");
  });

  it("completes by itself on that, where it is told to, and says on which evidence", async () => {
    const at = await openHarness({ auto: "true", "boot-order": "hd", "detach-iso": "true" });
    const vm = await installedAndStarted(at);
    expect(await at.call("get_vm", { vm })).toMatchObject({ installation_status: "Installed", boot_order: "hd" });
    expect(await at.call("get_vm", { vm })).not.toHaveProperty("current_media");
    const [event] = await at.heard("installation.completed");
    expect(event!.data).toMatchObject({
      actor: "plugin:installation-watch",
      evidence: expect.stringContaining("in a run that was booted from the disk"),
    });
  });

  it("completes a VM that installed itself with the disk first, once its system is up", async () => {
    const at = await openHarness({ auto: true }, { agentAfterMs: 500 });
    const vm = await installing(at, { boot_order: "hd_cdrom" });
    guestInstalls(at.session, vm);
    await at.heard("installation.completed");
    expect(await at.call("get_vm", { vm })).toMatchObject({ current_boot_device: "hd" });
  });

  it("does not take a live medium that runs the agent for an installed system", async () => {
    const at = await openHarness({ auto: true }, { mediumRunsAgent: true });
    const vm = await installing(at);
    await at.heard("agent.connected");
    await at.quiet();
    expect(await at.call("get_guest_info", { vm })).toMatchObject({ agent: "answers" });
    expect(await statusOf(at, vm)).toBe("Installing");
    expect(await suggestions(at)).toEqual([]);
  });

  it("takes no answer for none where the connection has no way to ask a guest's agent", async () => {
    const wrap = ({ guest: _none, ...rest }: Backend): Backend => ({
      ...rest,
      capabilities: { ...rest.capabilities, groups: ["events"] },
    });
    const at = await openPluginHarness([{ plugin, config: { auto: true } }], { config: { agentAfterMs: 10 }, wrap });
    const vm = await installedAndStarted(at);
    await expect(at.call("get_guest_info", { vm })).rejects.toMatchObject({ code: "GROUP_UNSUPPORTED" });
    expect(await statusOf(at, vm)).toBe("Installing");
    expect(at.logged).toEqual([]);
  });

  it("leaves VMs alone that are not being installed", async () => {
    const at = await openHarness({ auto: true });
    const vm = await installedAndStarted(at);
    await at.call("restart_vm", { vm });
    await at.heard("agent.connected", 2);
    await at.quiet();
    expect(await at.heard("installation.completed")).toHaveLength(1);
    expect(await at.store.deliveries({ limit: 9 })).toEqual([]);
  });
});
