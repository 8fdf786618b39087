// @module-tag process
import { describe, expect, it } from "vitest";
import { foreign, openHarness, seedOf, uuid } from "./harness.ts";

describe("set_boot_order", () => {
  const { call, refused } = openHarness({ local: seedOf(foreign(1, "web", { running: true })) });

  it.each(["cdrom_hd", "hd_cdrom", "hd"])("sets %s, and has nothing to do the second time", async (boot_order) => {
    await call("adopt_vm", { vm: "web" });
    const set = await call("set_boot_order", { vm: "web", boot_order });
    expect(set.vm).toMatchObject({ boot_order, boot_from_disk: boot_order.startsWith("hd") });
    expect(await call("set_boot_order", { vm: "web", boot_order })).toMatchObject({ changed: false, steps: [] });
    expect(await call("get_boot_order", { vm: "web" })).toMatchObject({
      boot_order,
      running_boot_order: "hd",
      requested_boot_order: boot_order,
    });
  });

  it("refuses cdrom with an empty tray, names what would help, and takes it if accepted", async () => {
    const { details } = await refused("BLOCKED_BY_FINDINGS", "set_boot_order", { vm: "web", boot_order: "cdrom" });
    const [finding] = details.findings as { code: string; fixes: { tool: string }[] }[];
    expect(finding).toMatchObject({ code: "NO_MEDIA", fixes: [{ tool: "attach_iso" }, { tool: "set_boot_order" }] });
    await refused("BLOCKED_BY_FINDINGS", "set_boot_order", { vm: "web", boot_order: "cdrom", accept: ["DISK_BLANK"] });
    const done = await call("set_boot_order", { vm: "web", boot_order: "cdrom", accept: ["NO_MEDIA"] });
    expect(done).toMatchObject({ changed: true, overridden: ["NO_MEDIA"], vm: { boot_order: "cdrom" } });
  });

  it.each(["custom", "network", "", "HD", "hd,cdrom", ["hd"], null])(
    "refuses the order %j and lists the four",
    async (boot_order) => {
      const { message } = await refused("INPUT_INVALID", "set_boot_order", { vm: "web", boot_order });
      for (const order of ["cdrom_hd", "hd", "cdrom", "hd_cdrom"]) expect(message).toContain(`"${order}"`);
    },
  );

  it("refuses to accept what is no finding", async () => {
    const { message } = await refused("INPUT_INVALID", "set_boot_order", {
      vm: "web",
      boot_order: "hd",
      accept: ["EVERYTHING"],
    });
    expect(message).toMatch(/accept.0: .*NO_MEDIA/);
  });

  it("in a dry run says when it would take effect, and changes nothing", async () => {
    const before = await call("get_vm", { vm: "web" });
    const dry = await call("set_boot_order", { vm: "web", boot_order: "hd_cdrom", dry_run: true });
    expect(dry).toMatchObject({
      changed: true,
      takes_effect: "next_start",
      steps: [expect.stringContaining("hd_cdrom")],
    });
    expect(await call("get_vm", { vm: "web" })).toEqual(before);
  });

  it("with restart takes effect now, in one operation", async () => {
    const done = await call("set_boot_order", { vm: "web", boot_order: "hd", restart: true });
    expect(done).toMatchObject({
      changed: true,
      takes_effect: "now",
      vm: { boot_order: "hd", power: "running", pending: [] },
    });
    expect(done.steps).toHaveLength(3);
  });
});

describe("check_boot", () => {
  const { call, outside } = openHarness({
    local: seedOf(foreign(1, "web", { order: "cdrom_hd", isoPath: "/memory/isos/installer.iso", running: true })),
  });

  it("predicts a cold start and a guest's reboot, device by device, and finds the installer's loop", async () => {
    const report = await call("check_boot", { vm: "web" });
    expect(report.cold_start).toMatchObject({
      boot_order: "cdrom_hd",
      boots: "cdrom",
      path: "/memory/isos/installer.iso",
    });
    expect(report.cold_start.devices.map(({ device, verdict }) => `${device} ${verdict}`)).toEqual([
      "cdrom:sda boots",
      "disk:vda boots",
    ]);
    expect(report.findings.map(({ code }) => code)).toContain("INSTALLER_LOOP");
  });

  it("predicts, if it is asked to, what each of the four orders would boot, and changes none", async () => {
    expect(await call("check_boot", { vm: "web" })).not.toHaveProperty("orders");
    const { orders, cold_start } = await call("check_boot", { vm: "web", orders: true });
    expect(orders!.map(({ boot_order, boots }) => [boot_order, boots])).toEqual([
      ["cdrom_hd", "cdrom"],
      ["hd", "hd"],
      ["cdrom", "cdrom"],
      ["hd_cdrom", "hd"],
    ]);
    expect(orders![0]).toEqual(cold_start);
    expect((await call("get_boot_order", { vm: "web" })).boot_order).toBe("cdrom_hd");
  });

  it("tells the two apart when the order of a running VM was changed", async () => {
    await call("adopt_vm", { vm: "web" });
    await call("set_boot_order", { vm: "web", boot_order: "hd" });
    const report = await call("check_boot", { vm: "web" });
    expect([report.cold_start.boots, report.guest_reboot.boots]).toEqual(["hd", "cdrom"]);
  });

  it("finds a missing ISO, whose fixes can be called", async () => {
    outside(["guestPowersOff", uuid(1)], ["removeFile", "/memory/isos/installer.iso"]);
    const { findings } = await call("check_boot", { vm: "web" });
    const missing = findings.find(({ code }) => code === "ISO_MISSING")!;
    expect(missing).toMatchObject({ severity: "error", blocks: ["attach", "start"] });
    const { tool, arguments: args } = missing.fixes[0]!;
    expect(tool).toBe("detach_iso");
    expect(await call("detach_iso", args)).toMatchObject({ changed: true });
    expect((await call("check_boot", { vm: "web" })).findings.map(({ code }) => code)).not.toContain("ISO_MISSING");
  });
});
