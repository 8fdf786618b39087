import { describe, expect, it } from "vitest";
import { infoFrom } from "../../../plugins/qemu/guest.ts";

const disk = (slot: number, more: object = {}) => ({
  "pci-controller": { domain: 0, bus: 0, slot, function: slot === 31 ? 2 : 0 },
  "bus-type": "virtio",
  bus: 0,
  target: 0,
  unit: 0,
  ...more,
});
const disksOf = (...disks: unknown[]) =>
  infoFrom(undefined, [{ mountpoint: "/", type: "ext4", disk: disks }]).filesystems[0]!.disks;

describe("infoFrom()", () => {
  it("says what the system is, and which of our disks its file systems are on", () => {
    const system = { id: "debian", name: "Debian", "pretty-name": "Debian GNU/Linux 12" };
    expect(infoFrom(system, [{ mountpoint: "/", type: "ext4", disk: [disk(16), disk(16)] }])).toEqual({
      osId: "debian",
      osName: "Debian GNU/Linux 12",
      filesystems: [{ mountpoint: "/", type: "ext4", disks: ["vda"] }],
    });
  });
  it("knows a disk by its place on the bus, not by the guest's name for it", () => {
    expect(disksOf(disk(17, { dev: "/dev/vda" }))).toEqual(["vdb"]);
    expect(disksOf(disk(31, { unit: 1 }))).toEqual(["sdb"]);
    expect(disksOf(disk(7, { target: 2 }))).toEqual(["sdc"]);
  });
  it("leaves out a disk that is none of ours", () => {
    expect(disksOf(disk(2), disk(31, { unit: 6 }), { dev: "/dev/loop0" }, null)).toEqual([]);
    expect(disksOf({ ...disk(16), "pci-controller": { domain: 0, bus: 1, slot: 16, function: 0 } })).toEqual([]);
  });
  it("takes nothing from an agent that says something else", () => {
    for (const answer of [undefined, null, 7, "x", {}, [7, null]])
      expect(infoFrom(answer, answer)).toEqual({ filesystems: [] });
  });
  it("bounds what it takes, and takes no characters that steer a screen", () => {
    const many = Array.from({ length: 1_000 }, () => ({
      mountpoint: `/\u001b[2J${"x".repeat(1_000)}`,
      type: "a\u202eb",
    }));
    const { filesystems } = infoFrom({ id: "a".repeat(10_000) }, many);
    expect(filesystems.length).toBe(64);
    expect(filesystems[0]!.mountpoint).toMatch(/^\/\[2Jx{1,256}$/);
    expect(filesystems[0]!.type).toBe("ab");
  });
});
