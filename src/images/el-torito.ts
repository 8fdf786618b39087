/** El Torito boot catalogues, read as QEMU's two firmwares read them: SeaBIOS looks at sector 17 for the boot record
 * and takes the first entry alone, and only from a catalogue for platform 0; OVMF takes any entry of the catalogue's
 * first sector and ignores a catalogue whose checksum is wrong. The type of a boot image does not matter here. */

export const SECTOR = 2048;
const ENTRY = 32;
const BOOTABLE = 0x88;
const PLATFORM_BIOS = 0x00;
const PLATFORM_UEFI = 0xef;

export type Boots = Readonly<{ bootsBios: boolean; bootsUefi: boolean }>;
export const bootsNothing: Boots = { bootsBios: false, bootsUefi: false };

/** The catalogue's sector in a boot record volume descriptor; `undefined` for any other sector. */
export function catalogueSectorOf(descriptor: Buffer): number | undefined {
  if (descriptor.length < SECTOR || descriptor[0] !== 0) return undefined;
  const name = descriptor.toString("latin1", 7, 30);
  return name === "EL TORITO SPECIFICATION" ? descriptor.readUInt32LE(0x47) : undefined;
}

function isCatalogue(sector: Buffer): boolean {
  if (sector.length < SECTOR || sector[0] !== 0x01 || sector.readUInt16LE(30) !== 0xaa55) return false;
  let sum = 0;
  for (let at = 0; at < ENTRY; at += 2) sum += sector.readUInt16LE(at);
  return (sum & 0xffff) === 0;
}

type Entry = { platform: number; initial: boolean; bootable: boolean; sector: number };

/** Entries in the catalogue's first sector. A section that claims more entries than fit is cut off there. */
function entriesOf(catalogue: Buffer): Entry[] {
  const entry = (at: number, platform: number, initial: boolean): Entry => ({
    platform,
    initial,
    bootable: catalogue[at] === BOOTABLE,
    sector: catalogue.readUInt32LE(at + 8),
  });
  const entries = [entry(ENTRY, catalogue[1]!, true)];
  let at = 2 * ENTRY;
  while (at < SECTOR && (catalogue[at] === 0x90 || catalogue[at] === 0x91)) {
    const last = catalogue[at] === 0x91;
    const platform = catalogue[at + 1]!;
    let left = catalogue.readUInt16LE(at + 2);
    for (at += ENTRY; left > 0 && at < SECTOR; at += ENTRY) {
      // 0x44 extends the selection criteria of the previous entry.
      if (catalogue[at] === 0x44) continue;
      entries.push(entry(at, platform, false));
      left -= 1;
    }
    if (last) break;
  }
  return entries;
}

/** The platforms that the catalogue boots. An entry whose boot image would begin behind the end of the file does not
 * count. */
export function bootsOf(catalogue: Buffer, fileBytes: number): Boots {
  if (!isCatalogue(catalogue)) return bootsNothing;
  const entries = entriesOf(catalogue).filter(
    (entry) => entry.bootable && entry.sector > 0 && entry.sector * SECTOR < fileBytes,
  );
  return {
    bootsBios: entries.some((entry) => entry.initial && entry.platform === PLATFORM_BIOS),
    bootsUefi: entries.some((entry) => entry.platform === PLATFORM_UEFI),
  };
}
