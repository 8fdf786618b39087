import { expect, test } from "vitest";
import { probeDisk } from "../../src/images/probe-guest.ts";

/** That it runs is shown on real hypervisors: test/plugins/libvirt/acceleration.real.test.ts and that of qemu. */
test("probeDisk() is a boot sector on a disk that a BIOS reads", () => {
  const disk = probeDisk();
  expect(disk.length).toBe(1024 ** 2);
  expect(disk.readUInt16LE(510)).toBe(0xaa55);
  expect(disk.subarray(198, 510).every((byte) => byte === 0)).toBe(true);
});
