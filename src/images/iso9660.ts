/** Reads an ISO image's volume and its boot platforms. It reads a few sectors, wherever the file points; no content
 * makes it read more, loop or throw. Hybrid images (a partition table in the first 32 KiB, for USB sticks) are ISOs
 * like others: in a CD-ROM drive only El Torito counts. */
import { type Boots, bootsNothing, bootsOf, catalogueSectorOf, SECTOR } from "./el-torito.ts";
import type { ReadAt } from "./image-file.ts";

export type IsoVolume = Boots &
  Readonly<{
    /** Printable text, at most 32 characters; absent when empty. */
    volumeLabel?: string;
    /** The volume claims to be larger than the file, usually after an incomplete download. */
    truncated: boolean;
  }>;

const FIRST_DESCRIPTOR = 16;
const BOOT_RECORD = 17;
const DESCRIPTORS_MAX = 32;
const PRIMARY = 1;
const TERMINATOR = 255;

const isDescriptor = (sector: Buffer): boolean =>
  sector.length === SECTOR && sector.toString("latin1", 1, 6) === "CD001";

/** Labels are ASCII by the standard, and UTF-8 or Latin-1 in practice. Control, format and unassigned characters are
 * removed. */
export function labelOf(bytes: Uint8Array): string | undefined {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    text = Buffer.from(bytes).toString("latin1");
  }
  const clean = text.replace(/\p{C}/gu, "").trim();
  return [...clean].slice(0, 32).join("").trim() || undefined;
}

async function findPrimary(read: ReadAt): Promise<Buffer | undefined> {
  for (let sector = FIRST_DESCRIPTOR; sector < FIRST_DESCRIPTOR + DESCRIPTORS_MAX; sector += 1) {
    const descriptor = await read(sector * SECTOR, SECTOR);
    if (!isDescriptor(descriptor) || descriptor[0] === TERMINATOR) return undefined;
    if (descriptor[0] === PRIMARY) return descriptor;
  }
  return undefined;
}

async function readBoots(read: ReadAt, fileBytes: number): Promise<Boots> {
  const record = await read(BOOT_RECORD * SECTOR, SECTOR);
  const sector = isDescriptor(record) ? catalogueSectorOf(record) : undefined;
  if (sector === undefined || sector * SECTOR >= fileBytes) return bootsNothing;
  return bootsOf(await read(sector * SECTOR, SECTOR), fileBytes);
}

/** The volume in a file, or `undefined` for a file without an ISO 9660 primary volume descriptor.
 * @throws the read's error */
export async function readIsoVolume(read: ReadAt, fileBytes: number): Promise<IsoVolume | undefined> {
  const primary = await findPrimary(read);
  if (!primary) return undefined;
  const volumeLabel = labelOf(primary.subarray(40, 72));
  const volumeBytes = primary.readUInt32LE(80) * primary.readUInt16LE(128);
  return {
    ...(await readBoots(read, fileBytes)),
    ...(volumeLabel !== undefined && { volumeLabel }),
    truncated: volumeBytes > fileBytes,
  };
}
