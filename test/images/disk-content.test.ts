import { describe, expect, test } from "vitest";
import { type Content, readContent } from "../../src/images/disk-content.ts";
import type { Extent } from "../../src/images/qemu-img.ts";
import { bootSector, readerOf } from "./fixture.ts";

const MIB = 1 << 20;
const nothing = { bootsBios: false, bootsUefi: false };
const data = (start: number, length: number): Extent => ({ start, length, data: true, zero: false });

/** What is found in a disk of 64 MiB with these bytes and these allocated pieces. */
function contentOf(write: (disk: Buffer) => void, extents: readonly Extent[] | undefined): Promise<Content> {
  const disk = Buffer.alloc(64 * MIB);
  write(disk);
  return readContent({ virtualBytes: disk.length, read: readerOf(disk), map: async () => extents });
}

describe("readContent()", () => {
  test("calls a disk blank of which nothing is allocated, or only zeros are", async () => {
    const zeros = { start: 0, length: 64 * MIB, data: true, zero: true };
    expect(await contentOf(() => {}, [])).toEqual({ content: "blank", ...nothing });
    expect(await contentOf(() => {}, [zeros, { ...zeros, data: false }])).toEqual({ content: "blank", ...nothing });
  });

  test("calls a disk data as soon as anything stands in its head, without asking for a map", async () => {
    const disk = Buffer.alloc(MIB);
    bootSector({ types: [0x83] }).copy(disk);
    const source = { virtualBytes: MIB, read: readerOf(disk), map: () => Promise.reject(new Error("asked")) };
    expect(await readContent(source)).toEqual({ content: "data", ...nothing });
  });

  test("calls a disk data for a byte in an allocated piece behind a zero head", async () => {
    const btrfs = (disk: Buffer) => disk.write("_BHRfS_M", 65_600);
    expect(await contentOf(btrfs, [data(65_536, 4_096)])).toEqual({ content: "data", ...nothing });
    const odd = (disk: Buffer) => disk.fill(1, 5 * MIB - 1, 5 * MIB);
    expect(await contentOf(odd, [data(5 * MIB - 4_096, 4_096)])).toEqual({ content: "data", ...nothing });
  });

  test("calls a disk blank whose few allocated pieces were all read and hold zeros", async () => {
    expect(await contentOf(() => {}, [data(0, MIB), data(9 * MIB, 512)])).toEqual({ content: "blank", ...nothing });
  });

  test("admits that it does not know where zeros are allocated beyond what it reads", async () => {
    expect(await contentOf(() => {}, [data(0, 64 * MIB)])).toMatchObject({ content: "unknown" });
    const many = Array.from({ length: 17 }, (_, index) => data((2 * index + 1) * MIB, 4_096));
    expect(await contentOf(() => {}, many)).toMatchObject({ content: "unknown" });
  });

  test("takes more pieces than can be listed for data", async () => {
    expect(await contentOf(() => {}, undefined)).toEqual({ content: "data", ...nothing });
  });
});
