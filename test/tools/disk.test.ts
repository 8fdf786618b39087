// @module-tag process
import { describe, expect, it } from "vitest";
import { foreign, openHarness, seedOf } from "./harness.ts";

const remote = foreign(3, "remote");
const { path: _none, ...pathless } = remote.vm.next.disks[0]!;
const backed = foreign(4, "backed");
const uefi = foreign(5, "uefi", { firmware: "uefi" });
const seed = {
  ...seedOf(foreign(1, "web"), foreign(2, "busy", { running: true }), backed),
  vms: [
    ...seedOf(foreign(1, "web"), foreign(2, "busy", { running: true }), backed).vms!,
    { ...remote.vm, next: { ...remote.vm.next, disks: [pathless] } },
    uefi.vm,
  ],
  disks: [
    foreign(1, "web").disk,
    foreign(2, "busy").disk,
    { ...uefi.disk, bootsUefi: false },
    { ...backed.disk, content: "blank" as const, backing: "/memory/images/base.qcow2" },
    { path: "/memory/images/base.qcow2", content: "data" as const, bootsBios: true },
  ],
};
const { call, refused } = openHarness({ local: seed });

describe("get_disk_info", () => {
  it("says what a disk is, what is on it, and how much room there is", async () => {
    const disk = await call("get_disk_info", { vm: "web" });
    expect(disk).toMatchObject({
      disk: "vda",
      path: "/memory/images/web.qcow2",
      state: "ok",
      format: "qcow2",
      size_gb: 20,
      virtual_size_bytes: 20 * 1024 ** 3,
      content: "data",
      boots_bios: true,
      backing_chain: [],
    });
    expect(disk.host_total_bytes).toBe(1024 ** 4);
    expect(disk).not.toHaveProperty("corrupt");
  });

  it("says whether the VM's own firmware boots it", async () => {
    expect((await call("get_disk_info", { vm: "web" })).verdict).toBe("boots");
    expect(await call("get_disk_info", { vm: "uefi" })).toMatchObject({ boots_bios: true, verdict: "unknown" });
    expect((await call("get_disk_info", { vm: "remote" })).verdict).toBe("unknown");
  });

  it("looks for corruption if asked to, and only at a VM that is off", async () => {
    expect(await call("get_disk_info", { vm: "web", check: true })).toMatchObject({ corrupt: false });
    await refused("VM_MUST_BE_OFF", "get_disk_info", { vm: "busy", check: true });
  });

  it("lists what a disk stands on", async () => {
    expect((await call("get_disk_info", { vm: "backed" })).backing_chain).toEqual(["/memory/images/base.qcow2"]);
  });

  it("says so of a disk that is no file of this host", async () => {
    const disk = await call("get_disk_info", { vm: "remote" });
    expect(disk).toMatchObject({ state: "not_a_file", content: "unknown", backing_chain: [] });
    expect(disk).not.toHaveProperty("path");
  });

  it("refuses a disk that there is not, and lists those there are", async () => {
    const { details } = await refused("DISK_NOT_FOUND", "get_disk_info", { vm: "web", disk: "vdb" });
    expect(details).toEqual({ vm: "web", disk: "vdb", known: ["vda"] });
  });
});

describe("resize_disk", () => {
  it.each(["web", "busy"])("grows the disk of %s, and has nothing to do the second time", async (vm) => {
    await call("adopt_vm", { vm });
    const grown = await call("resize_disk", { vm, size_gb: 30.5 });
    expect(grown).toMatchObject({ changed: true, takes_effect: "now", notes: [expect.stringContaining("partition")] });
    expect((await call("get_disk_info", { vm })).size_gb).toBe(30.5);
    expect(await call("resize_disk", { vm, size_gb: 30.5 })).toMatchObject({ changed: false });
  });

  it("refuses to shrink, and says what is there", async () => {
    const { message, details } = await refused("SHRINK_REFUSED", "resize_disk", { vm: "web", size_gb: 10 });
    expect(message).toContain("30.5 GiB");
    expect(details).toMatchObject({ currentBytes: 30.5 * 1024 ** 3, requestedBytes: 10 * 1024 ** 3 });
  });

  it("refuses what the host's file system could never hold", async () => {
    await refused("HOST_SPACE_LACKING", "resize_disk", { vm: "web", size_gb: 2000 });
  });

  it.each([0, -1, 1.2, 65_537, "40", null])("refuses the size %j", async (size_gb) => {
    expect((await refused("INPUT_INVALID", "resize_disk", { vm: "web", size_gb })).message).toContain("size_gb");
  });

  it("refuses a disk that is no file of this host, and one that there is not", async () => {
    await call("adopt_vm", { vm: "remote" });
    await refused("DISK_NOT_GROWABLE", "resize_disk", { vm: "remote", size_gb: 40 });
    await refused("DISK_NOT_FOUND", "resize_disk", { vm: "web", size_gb: 40, disk: "vdz" });
  });

  it("in a dry run grows nothing", async () => {
    const dry = await call("resize_disk", { vm: "web", size_gb: 40, dry_run: true });
    expect(dry).toMatchObject({ changed: true, dry_run: true, steps: [expect.stringContaining("40 GiB")] });
    expect((await call("get_disk_info", { vm: "web" })).size_gb).toBe(30.5);
  });
});
