import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { labelOf, readIsoVolume } from "../../src/images/iso9660.ts";
import { directory, type IsoKind, makeIso, readerOf, SECTOR } from "./fixture.ts";

const isoOf = (kind: IsoKind, label?: string) => readFileSync(makeIso(join(directory(), "made.iso"), kind, label));
const volumeOf = (bytes: Buffer) => readIsoVolume(readerOf(bytes), bytes.length);

describe("readIsoVolume()", () => {
  test.each([
    ["bios", true, false],
    ["uefi", false, true],
    ["both", true, true],
    ["none", false, false],
    ["hybrid", true, true],
  ] as const)("reads a real ISO of kind %s", async (kind, bootsBios, bootsUefi) => {
    expect(await volumeOf(isoOf(kind, "DEBIAN_12"))).toEqual({
      volumeLabel: "DEBIAN_12",
      bootsBios,
      bootsUefi,
      truncated: false,
    });
  });

  test("finds no volume in zeros, in text, in a file that ends before sector 16 or within it", async () => {
    for (const bytes of [
      Buffer.alloc(100 * SECTOR),
      Buffer.alloc(40_000, "text"),
      Buffer.alloc(10),
      isoOf("none").subarray(0, 16 * SECTOR + 100),
    ]) {
      expect(await volumeOf(bytes)).toBeUndefined();
    }
  });

  test("says that an ISO is truncated, and boots nothing whose image was cut off", async () => {
    const whole = isoOf("both");
    expect(await volumeOf(whole.subarray(0, 20 * SECTOR))).toMatchObject({
      truncated: true,
      bootsBios: false,
      bootsUefi: false,
    });
  });

  test("is not led out of the file by a catalogue at a hostile place", async () => {
    const iso = isoOf("bios");
    for (const sector of [0xffffffff, Math.ceil(iso.length / SECTOR), 0, 16]) {
      iso.writeUInt32LE(sector, 17 * SECTOR + 0x47);
      expect(await volumeOf(iso)).toMatchObject({ bootsBios: false, bootsUefi: false });
    }
  });

  test("boots nothing where the boot record does not stand in sector 17", async () => {
    const iso = isoOf("bios");
    iso.copy(iso, 18 * SECTOR, 17 * SECTOR, 18 * SECTOR);
    iso[17 * SECTOR] = 2;
    expect(await volumeOf(iso)).toMatchObject({ bootsBios: false });
  });

  test("gives up on endless descriptors without a primary one", async () => {
    const reads: number[] = [];
    const descriptor = Buffer.alloc(SECTOR);
    descriptor.write("\x02CD001\x01", 0, "latin1");
    const read = async (position: number) => {
      reads.push(position);
      return descriptor;
    };
    expect(await readIsoVolume(read, 1e12)).toBeUndefined();
    expect(reads.length).toBeLessThan(50);
  });

  test("survives every single byte of the descriptors and the catalogue being wrong", async () => {
    const iso = isoOf("both");
    const catalogue = iso.readUInt32LE(17 * SECTOR + 0x47);
    const places = [16, 17, catalogue].flatMap((sector) =>
      Array.from({ length: 160 }, (_, at) => sector * SECTOR + at),
    );
    for (const place of places) {
      const before = iso[place]!;
      iso[place] = before ^ 0xff;
      await volumeOf(iso);
      iso[place] = before;
    }
    expect(await volumeOf(iso)).toMatchObject({ bootsBios: true, bootsUefi: true });
  });
});

test.each([
  ["DEBIAN 12          ", "DEBIAN 12"],
  ["a\0b\x1b[31m\u202ec\n", "ab[31mc"],
  ["Ünïcode", "Ünïcode"],
  [" \0 ", undefined],
  ["x".repeat(40), "x".repeat(32)],
])("labelOf() makes printable text of %j", (text, label) => {
  expect(labelOf(Buffer.from(text))).toBe(label);
});

test("labelOf() takes what is not UTF-8 for Latin-1", () => {
  expect(labelOf(Buffer.from([0x44, 0xe9, 0x85, 0x20]))).toBe("Dé");
});
