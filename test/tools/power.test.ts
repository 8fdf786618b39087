// @module-tag process
import { describe, expect, it } from "vitest";
import { foreign, openHarness, seedOf, uuid } from "./harness.ts";

describe("start_vm", () => {
  const { call, refused, outside } = openHarness({
    local: seedOf(foreign(1, "blank", { content: "blank" }), foreign(2, "web")),
  });

  it("starts the installer of a VM with a blank disk, and counts that as an installation", async () => {
    await call("create_vm", { name: "new", iso_path: "installer.iso" });
    const started = await call("start_vm", { vm: "new" });
    expect(started).toMatchObject({
      changed: true,
      vm: { power: "running", installation_status: "Installing", current_boot_device: "cdrom" },
      next_steps: [{ tool: "complete_installation", arguments: { boot_order: "hd" } }],
    });
    expect(await call("start_vm", { vm: "new" })).toMatchObject({ changed: false, steps: [] });
    await refused("VM_MUST_BE_OFF", "start_vm", { vm: "new", iso_path: "live.iso" });
    await refused("VM_MUST_BE_OFF", "start_vm", { vm: "new", purpose: "install" });
  });

  it("leaves the status alone for any other purpose", async () => {
    await call("create_vm", { name: "rescue", iso_path: "live.iso" });
    const { vm } = await call("start_vm", { vm: "rescue", purpose: "live" });
    expect(vm).toMatchObject({ power: "running", installation_status: "NotInstalled" });
  });

  it("attaches an ISO on the way", async () => {
    await call("create_vm", { name: "attach" });
    const { vm, steps } = await call("start_vm", { vm: "attach", iso_path: "installer.iso" });
    expect(vm).toMatchObject({ current_media: "/memory/isos/installer.iso", installation_status: "Installing" });
    expect(steps).toHaveLength(4);
  });

  it("refuses what cannot boot with the cause and its fixes, unless exactly that is accepted", async () => {
    await call("adopt_vm", { vm: "blank" });
    const { details, hint, next } = await refused("BLOCKED_BY_FINDINGS", "start_vm", { vm: "blank" });
    const [finding] = details.findings as { code: string; fixes: { tool: string }[] }[];
    expect(finding!.code).toBe("DISK_BLANK");
    expect(finding!.fixes.map(({ tool }) => tool)).toEqual(["attach_iso", "set_boot_order"]);
    expect(hint).toContain('accept: ["DISK_BLANK"]');
    expect(next).toBe("check_boot");
    await refused("BLOCKED_BY_FINDINGS", "start_vm", { vm: "blank", accept: ["NO_MEDIA", "NOTHING_BOOTS"] });
    expect(await call("start_vm", { vm: "blank", accept: ["DISK_BLANK"] })).toMatchObject({
      overridden: ["DISK_BLANK"],
    });
  });

  it("refuses an order of devices of which none can boot, device by device", async () => {
    await call("create_vm", { name: "drivers", iso_path: "drivers.iso" });
    const { message } = await refused("BLOCKED_BY_FINDINGS", "start_vm", { vm: "drivers" });
    expect(message).toMatch(/NOTHING_BOOTS: cdrom:sda: .*; disk:vda: /);
  });

  it("in a dry run says what it would do, and what stands in the way", async () => {
    await call("create_vm", { name: "dry", iso_path: "installer.iso" });
    const before = await call("get_vm", { vm: "dry" });
    const dry = await call("start_vm", { vm: "dry", dry_run: true });
    expect(dry).toMatchObject({ changed: true, dry_run: true, vm: { power: "off" } });
    expect(dry.steps.at(-1)).toBe("start the VM (install)");
    expect(await call("get_vm", { vm: "dry" })).toEqual(before);
  });

  it("puts back the order that was asked for, or takes the one that another program set, and says so", async () => {
    await call("adopt_vm", { vm: "web" });
    await call("set_boot_order", { vm: "web", boot_order: "hd_cdrom" });
    const foreignOrder = { style: "os", entries: [{ device: "class:hd", order: 1 }] } as const;
    outside(["setBoot", uuid(2), foreignOrder]);
    expect((await call("get_vm", { vm: "web" })).findings.map(({ code }) => code)).toContain("BOOT_ORDER_DRIFT");
    const reasserted = await call("start_vm", { vm: "web" });
    expect(reasserted.notes).toEqual([expect.stringContaining("hd_cdrom was restored")]);
    expect(reasserted.vm.boot_order).toBe("hd_cdrom");
    outside(["guestPowersOff", uuid(2)], ["setBoot", uuid(2), foreignOrder]);
    const adopted = await call("start_vm", { vm: "web", on_drift: "adopt" });
    expect(adopted.notes).toEqual([expect.stringContaining("hd, set by another program, was adopted")]);
    expect(adopted.vm.findings.map(({ code }) => code)).not.toContain("BOOT_ORDER_DRIFT");
  });

  it("does not resume a saved state unasked, and loses it only after confirmation", async () => {
    outside(["saveState", uuid(2)]);
    const { message } = await refused("BLOCKED_BY_FINDINGS", "start_vm", { vm: "web" });
    expect(message).toContain("SAVED_STATE");
    const { details } = await refused("CONFIRMATION_REQUIRED", "start_vm", { vm: "web", discard_saved_state: true });
    expect(details.losses).toEqual([expect.stringContaining("the saved state")]);
    const done = await call("start_vm", { vm: "web", discard_saved_state: true, confirm: details.confirm });
    expect(done.vm.power).toBe("running");
  });
});

describe("stop_vm", () => {
  const { call, refused, outside } = openHarness({
    local: seedOf(foreign(1, "web", { running: true }), foreign(2, "off")),
  });

  it("asks the guest, and has nothing to do the second time", async () => {
    await call("adopt_vm", { all: true });
    expect(await call("stop_vm", { vm: "web" })).toMatchObject({
      changed: true,
      vm: { power: "off" },
      next_steps: [{ tool: "start_vm" }],
    });
    expect(await call("stop_vm", { vm: "web", force: true })).toMatchObject({ changed: false });
  });

  it("gives up after its time limit, and says what would help", async () => {
    await call("start_vm", { vm: "web" });
    outside(["setGuest", uuid(1), { honoursShutdown: false }]);
    const { message, hint, outcome } = await refused("SHUTDOWN_TIMED_OUT", "stop_vm", {
      vm: "web",
      timeout_seconds: 1,
    });
    expect(message).toContain("within 1 s");
    expect(hint).toContain("force: true");
    expect(await call("get_operation", { operation: outcome!.operation })).toMatchObject({ status: "rolled_back" });
  });

  it.each([0, -1, 3601, "60"])("refuses %j seconds", async (timeout_seconds) => {
    expect((await refused("INPUT_INVALID", "stop_vm", { vm: "web", timeout_seconds })).message).toContain(
      "timeout_seconds",
    );
  });

  it("in a dry run says what would be lost", async () => {
    const dry = await call("stop_vm", { vm: "web", force: true, dry_run: true });
    expect(dry.would_lose).toEqual([expect.stringContaining("the running guest's memory")]);
    expect((await call("get_vm", { vm: "web" })).power).toBe("running");
  });

  it("cuts the power of a guest that is paused, and does nothing else to it", async () => {
    outside(["setPaused", uuid(1), "I/O error"]);
    expect(await call("get_vm", { vm: "web" })).toMatchObject({ power: "paused", power_reason: "I/O error" });
    await refused("VM_PAUSED", "start_vm", { vm: "web" });
    await refused("VM_PAUSED", "stop_vm", { vm: "web" });
    const { details } = await refused("CONFIRMATION_REQUIRED", "stop_vm", { vm: "web", force: true });
    expect((await call("stop_vm", { vm: "web", force: true, confirm: details.confirm })).vm.power).toBe("off");
  });
});

describe("restart_vm", () => {
  const { call, refused, outside } = openHarness({
    local: seedOf(foreign(1, "web", { running: true, order: "cdrom_hd" })),
  });

  it("makes a pending order effective, which is said before", async () => {
    await call("adopt_vm", { vm: "web" });
    const set = await call("set_boot_order", { vm: "web", boot_order: "hd" });
    expect(set).toMatchObject({ takes_effect: "next_start", next_steps: [{ tool: "restart_vm" }] });
    expect(set.vm.pending).not.toEqual([]);
    const restarted = await call("restart_vm", { vm: "web" });
    expect(restarted).toMatchObject({
      changed: true,
      vm: { power: "running", pending: [], current_boot_device: "hd" },
    });
  });

  it("starts a VM that is off", async () => {
    await call("stop_vm", { vm: "web" });
    expect((await call("restart_vm", { vm: "web" })).steps).toEqual(["start the VM (normal)"]);
  });

  it("does not stop what could not be started again", async () => {
    outside(["removeFile", "/memory/images/web.qcow2"]);
    const { message } = await refused("BLOCKED_BY_FINDINGS", "restart_vm", { vm: "web", accept: ["DISK_MISSING"] });
    expect(message).toContain("DISK_MISSING");
    expect((await call("get_vm", { vm: "web" })).power).toBe("running");
  });
});

describe("start_vm at_reboot", () => {
  const { call, refused } = openHarness();
  const made = async (name: string) => (await call("create_vm", { name, iso_path: "installer.iso" })).vm.uuid;
  const runOf = async (vm: string) => (await call("get_installation_status", { vm })).last_run;

  it("is remembered with the run, and says who has to be there for it", async () => {
    const vm = await made("eject");
    const started = await call("start_vm", { vm, at_reboot: "eject" });
    expect(started.notes).toEqual([
      expect.stringContaining("the plugin loop-guard"),
      expect.stringContaining("within about a second"),
    ]);
    expect(await runOf(vm)).toMatchObject({ purpose: "install", device: "cdrom", at_reboot: "eject" });
  });

  it("ends the run at the reboot where the disk is to be booted, and says what cannot be told apart", async () => {
    const vm = await made("boot-disk");
    const started = await call("start_vm", { vm, at_reboot: "boot_disk" });
    expect(started.steps).toContain("end the run when the guest reboots");
    expect(started.notes).toHaveLength(2);
    expect(started.notes!.join()).toContain("powers off");
    await call("restart_vm", { vm, force: true }).catch(() => undefined);
    expect(await runOf(vm)).toMatchObject({ at_reboot: "boot_disk" });
  });

  it("is `tell` by default, with nothing to note", async () => {
    const vm = await made("tell");
    expect((await call("start_vm", { vm })).notes).toEqual([]);
    expect(await runOf(vm)).toMatchObject({ at_reboot: "tell" });
  });

  it("is refused for a run that installs nothing", async () => {
    const vm = await made("live");
    const { message } = await refused("INPUT_INVALID", "start_vm", { vm, purpose: "live", at_reboot: "eject" });
    expect(message).toContain("at_reboot");
  });
});
