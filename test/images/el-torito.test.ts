import { describe, expect, test } from "vitest";
import { bootsOf, catalogueSectorOf } from "../../src/images/el-torito.ts";
import { SECTOR } from "./fixture.ts";

const FILE_BYTES = 100 * SECTOR;

type Section = { platform: number; last?: boolean; count?: number; entries: { bootable?: boolean; sector?: number }[] };

/** A catalogue with a right checksum, whatever it holds. */
function catalogue(
  platform: number,
  initial: { bootable?: boolean; sector?: number },
  sections: Section[] = [],
): Buffer {
  const bytes = Buffer.alloc(SECTOR);
  bytes[0] = 1;
  bytes[1] = platform;
  bytes.writeUInt16LE(0xaa55, 30);
  let sum = 0;
  for (let at = 0; at < 32; at += 2) sum += bytes.readUInt16LE(at);
  bytes.writeUInt16LE((0x10000 - (sum & 0xffff)) & 0xffff, 28);
  let at = 32;
  const entry = ({ bootable = true, sector = 20 }: { bootable?: boolean; sector?: number }) => {
    if (at + 32 > SECTOR) return;
    bytes[at] = bootable ? 0x88 : 0x00;
    bytes.writeUInt32LE(sector, at + 8);
    at += 32;
  };
  entry(initial);
  for (const section of sections) {
    bytes[at] = (section.last ?? true) ? 0x91 : 0x90;
    bytes[at + 1] = section.platform;
    bytes.writeUInt16LE(section.count ?? section.entries.length, at + 2);
    at += 32;
    section.entries.forEach(entry);
  }
  return bytes;
}

const table: [name: string, bytes: Buffer, bios: boolean, uefi: boolean][] = [
  ["a BIOS entry", catalogue(0, {}), true, false],
  ["a UEFI entry", catalogue(0xef, {}), false, true],
  ["BIOS, then UEFI", catalogue(0, {}, [{ platform: 0xef, entries: [{}] }]), true, true],
  [
    "UEFI in the second section",
    catalogue(0, {}, [
      { platform: 0, last: false, entries: [{}] },
      { platform: 0xef, entries: [{}] },
    ]),
    true,
    true,
  ],
  [
    "UEFI, then BIOS, which SeaBIOS does not look for",
    catalogue(0xef, {}, [{ platform: 0, entries: [{}] }]),
    false,
    true,
  ],
  [
    "entries that are not bootable",
    catalogue(0, { bootable: false }, [{ platform: 0xef, entries: [{ bootable: false }] }]),
    false,
    false,
  ],
  ["PowerPC", catalogue(1, {}), false, false],
  ["a boot image at sector 0", catalogue(0, { sector: 0 }), false, false],
  ["a boot image behind the end of the file", catalogue(0, { sector: 100 }), false, false],
  ["a boot image at the largest sector number", catalogue(0, { sector: 0xffffffff }), false, false],
  [
    "a section that claims 65,535 entries",
    catalogue(0, {}, [{ platform: 0xef, count: 65_535, entries: [{ bootable: false }] }]),
    true,
    false,
  ],
  [
    "a section without entries, and none after it",
    catalogue(0, {}, [{ platform: 0xef, count: 0, entries: [] }]),
    true,
    false,
  ],
  ["nothing but zeros", Buffer.alloc(SECTOR), false, false],
  ["nothing but ones", Buffer.alloc(SECTOR, 0xff), false, false],
  ["a sector cut off", catalogue(0, {}).subarray(0, 100), false, false],
  ["nothing at all", Buffer.alloc(0), false, false],
];

describe("bootsOf()", () => {
  test.each(table)("finds in a catalogue with %s what firmware would", (_name, bytes, bootsBios, bootsUefi) => {
    expect(bootsOf(bytes, FILE_BYTES)).toEqual({ bootsBios, bootsUefi });
  });

  test.each([0, 1, 5, 28, 30, 31])("boots nothing once byte %i of the validation entry is wrong", (at) => {
    const bytes = catalogue(0, {}, [{ platform: 0xef, entries: [{}] }]);
    bytes[at]! ^= 0x10;
    expect(bootsOf(bytes, FILE_BYTES)).toEqual({ bootsBios: false, bootsUefi: false });
  });
});

test("catalogueSectorOf() takes only a whole boot record with El Torito's name", () => {
  const record = Buffer.alloc(SECTOR);
  record.write("\0CD001\x01EL TORITO SPECIFICATION", 0, "latin1");
  record.writeUInt32LE(33, 0x47);
  expect(catalogueSectorOf(record)).toBe(33);
  expect(catalogueSectorOf(record.subarray(0, 1000))).toBeUndefined();
  record.write("X", 7);
  expect(catalogueSectorOf(record)).toBeUndefined();
});
