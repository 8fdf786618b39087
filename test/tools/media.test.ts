// @module-tag process
import { describe, expect, it } from "vitest";
import { foreign, openHarness, type Seed, seedOf, uuid } from "./harness.ts";

const isos: Seed["isos"] = [
  { path: "installer.iso", volumeLabel: "INSTALLER", bootsBios: true, bootsUefi: true, installs: true },
  { path: "live.iso", volumeLabel: "Live System", bootsBios: true },
  { path: "empty.iso", state: "empty" },
  { path: "text.iso", state: "not_iso" },
  { path: "secret.iso", state: "unreadable" },
  { path: "/elsewhere/other.iso", bootsBios: true },
];
const driveless = foreign(2, "driveless");
const seed: Seed = {
  isos,
  ...seedOf(foreign(1, "web"), { ...driveless, vm: { ...driveless.vm, next: { ...driveless.vm.next, drives: [] } } }),
};

describe("list_isos", () => {
  const { call } = openHarness({ local: seed });

  it("lists the library alone, with what each is good for and who holds it", async () => {
    await call("create_vm", { name: "holder", iso_path: "live.iso" });
    const { isos: listed, total, directories } = await call("list_isos");
    expect(directories).toEqual(["/memory/isos"]);
    expect(total).toBe(5);
    expect(listed.map(({ name, problem }) => [name, problem])).toEqual([
      ["empty.iso", "empty"],
      ["installer.iso", undefined],
      ["live.iso", undefined],
      ["secret.iso", "unreadable"],
      ["text.iso", "not_iso"],
    ]);
    expect(listed[2]).toMatchObject({
      volume_label: "Live System",
      boots_bios: true,
      boots_uefi: false,
      used_by: ["holder"],
    });
  });

  it("searches names and labels, and counts what it does not show", async () => {
    expect((await call("list_isos", { search: "SYSTEM" })).isos.map(({ name }) => name)).toEqual(["live.iso"]);
    const { isos: listed, total } = await call("list_isos", { limit: 1 });
    expect([listed.length, total]).toEqual([1, 5]);
  });
});

const inDrive = ["attach_iso", "start_vm"] as const;

describe("an ISO", () => {
  const { call, refused } = openHarness({ local: seed });

  it("goes into the drive by its name or its path, in place of another, and is there only once", async () => {
    await call("adopt_vm", { vm: "web" });
    const attached = await call("attach_iso", { vm: "web", iso_path: "live.iso" });
    expect(attached).toMatchObject({
      changed: true,
      takes_effect: "now",
      vm: { current_media: "/memory/isos/live.iso", boot_order: "hd" },
    });
    expect(await call("attach_iso", { vm: "web", iso_path: "/memory/isos/live.iso" })).toMatchObject({
      changed: false,
    });
    const other = await call("attach_iso", { vm: "web", iso_path: "installer.iso" });
    expect(other.vm.current_media).toBe("/memory/isos/installer.iso");
  });

  it("leaves the drive again, and an empty drive has nothing to do", async () => {
    expect((await call("detach_iso", { vm: "web" })).vm).not.toHaveProperty("current_media");
    expect(await call("detach_iso", { vm: "web" })).toMatchObject({ changed: false });
  });

  const outside = [
    "/elsewhere/other.iso",
    "/etc/passwd",
    "/memory/isos/../../etc/passwd",
    "../other.iso",
    "/memory/isosx/a.iso",
    "/",
  ];
  const missing = [
    "nothere.iso",
    "/memory/isos/nothere.iso",
    "INSTALLER.ISO",
    "isos",
    "<iso/>",
    "a'; rm -rf / #",
    "file:///memory/isos/live.iso",
    "live.iso\n",
  ];
  it.each(outside)("outside the library is refused: %j", async (iso_path) => {
    for (const tool of inDrive) {
      const { details, next } = await refused("ISO_OUTSIDE_LIBRARY", tool, { vm: "web", iso_path });
      expect(details).toEqual({ path: iso_path, directories: ["/memory/isos"] });
      expect(next).toBe("list_isos");
    }
    await refused("ISO_OUTSIDE_LIBRARY", "create_vm", { name: "new", iso_path });
  });
  it.each(missing)("that is not there is refused with those that are: %j", async (iso_path) => {
    for (const tool of inDrive) {
      const { details } = await refused("ISO_NOT_FOUND", tool, { vm: "web", iso_path });
      expect(details.known).toContain("installer.iso");
    }
    await refused("ISO_NOT_FOUND", "create_vm", { name: "new", iso_path });
  });
  it.each(["", "x".repeat(4097), 7, null])("is refused when it is no path at all: %j", async (iso_path) => {
    await refused("INPUT_INVALID", "attach_iso", { vm: "web", iso_path });
  });

  it.each(["empty.iso", "text.iso", "secret.iso"])(
    "that cannot be read as one is refused, unless accepted: %s",
    async (iso_path) => {
      const { message } = await refused("BLOCKED_BY_FINDINGS", "attach_iso", { vm: "web", iso_path });
      expect(message).toContain("ISO_UNREADABLE");
      await refused("BLOCKED_BY_FINDINGS", "create_vm", { name: "new", iso_path });
      const done = await call("attach_iso", { vm: "web", iso_path, accept: ["ISO_UNREADABLE"] });
      expect(done.overridden).toEqual(["ISO_UNREADABLE"]);
      await call("detach_iso", { vm: "web" });
    },
  );

  it("does not go into a drive that there is not", async () => {
    const { details } = await refused("DRIVE_NOT_FOUND", "attach_iso", {
      vm: "web",
      iso_path: "live.iso",
      drive: "sdz",
    });
    expect(details).toEqual({ vm: "web", drive: "sdz", known: ["sda"] });
    await refused("DRIVE_NOT_FOUND", "detach_iso", { vm: "web", drive: "vda" });
  });

  it("gets a drive where there is none only if that is accepted", async () => {
    await call("adopt_vm", { vm: "driveless" });
    const { details } = await refused("BLOCKED_BY_FINDINGS", "attach_iso", { vm: "driveless", iso_path: "live.iso" });
    expect(details.findings).toMatchObject([{ code: "NO_CDROM_DRIVE" }]);
    const done = await call("attach_iso", { vm: "driveless", iso_path: "live.iso", accept: ["NO_CDROM_DRIVE"] });
    expect(done).toMatchObject({ changed: true, vm: { current_media: "/memory/isos/live.iso" } });
    expect(done.steps[0]).toMatch(/^add an empty sata CD-ROM drive/);
  });

  it("is not attached by a dry run", async () => {
    const before = await call("get_vm", { vm: "web" });
    const dry = await call("attach_iso", { vm: "web", iso_path: "live.iso", dry_run: true });
    expect(dry).toMatchObject({
      changed: true,
      dry_run: true,
      steps: ["put /memory/isos/live.iso into CD-ROM drive sda"],
    });
    expect(await call("get_vm", { vm: "web" })).toEqual(before);
  });
});

describe("a locked tray", () => {
  const { call, refused, outside } = openHarness({
    local: {
      isos,
      ...seedOf(foreign(1, "web", { running: true, order: "cdrom_hd", isoPath: "/memory/isos/live.iso" })),
    },
  });

  it("is opened by force alone", async () => {
    await call("adopt_vm", { vm: "web" });
    outside(["guestLocksTray", uuid(1), "sda"]);
    for (const [tool, args] of [
      ["detach_iso", {}],
      ["attach_iso", { iso_path: "installer.iso" }],
    ] as const) {
      expect((await refused("TRAY_LOCKED", tool, { vm: "web", ...args })).hint).toContain("force");
    }
    const forced = await call("detach_iso", { vm: "web", force: true });
    expect(forced).toMatchObject({ changed: true, takes_effect: "now" });
    expect((await call("get_vm", { vm: "web" })).current_media).toBeUndefined();
  });
});
