/** Interprets the first sectors of a disk as firmware does. Pure. */

/** Bytes of a disk that `bootableOf` needs: a GPT's header and entries, for sectors of 512 and of 4096 bytes. */
export const HEAD_BYTES = 64 * 1024;

export type Bootable = Readonly<{ bootsBios: boolean; bootsUefi?: boolean }>;

/** C12A7328-F81F-11D2-BA4B-00A0C93EC93B as stored on the disk: its first three groups are little-endian. */
const EFI_SYSTEM = Buffer.from("28732ac11ff8d211ba4b00a0c93ec93b", "hex");
const MBR_EFI_SYSTEM = 0xef;
const MBR_PROTECTIVE = 0xee;
const MBR_EXTENDED = [0x05, 0x0f, 0x85];
const GPT_ENTRIES_MAX = 1024;

type MbrEntry = { flag: number; type: number; first: number; sectors: number };

const hasSignature = (head: Buffer): boolean => head.length >= 512 && head.readUInt16LE(510) === 0xaa55;

const mbrEntriesOf = (head: Buffer): MbrEntry[] =>
  [446, 462, 478, 494].map((at) => ({
    flag: head[at]!,
    type: head[at + 4]!,
    first: head.readUInt32LE(at + 8),
    sectors: head.readUInt32LE(at + 12),
  }));

/** Whether a GPT lists an EFI system partition within the disk; `undefined` without a GPT for this sector size,
 * `unknown` if its entries are beyond the bytes that were read. */
function gptHasEfi(head: Buffer, sectorBytes: number, diskBytes: number): boolean | "unknown" | undefined {
  if (head.length < sectorBytes + 92 || head.toString("latin1", sectorBytes, sectorBytes + 8) !== "EFI PART")
    return undefined;
  const start = Number(head.readBigUInt64LE(sectorBytes + 72)) * sectorBytes;
  const count = Math.min(head.readUInt32LE(sectorBytes + 80), GPT_ENTRIES_MAX);
  const entryBytes = head.readUInt32LE(sectorBytes + 84);
  if (entryBytes < 128 || entryBytes > 4096 || start < 2 * sectorBytes || start >= diskBytes) return false;
  for (let index = 0; index < count; index += 1) {
    const at = start + index * entryBytes;
    if (at + 128 > head.length) return at + 128 > diskBytes ? false : "unknown";
    if (!head.subarray(at, at + 16).equals(EFI_SYSTEM)) continue;
    const first = head.readBigUInt64LE(at + 32);
    const last = head.readBigUInt64LE(at + 40);
    if (first > 0n && first <= last && Number(last + 1n) * sectorBytes <= diskBytes) return true;
  }
  return false;
}

function hasEfi(head: Buffer, diskBytes: number): boolean | undefined {
  // OVMF accepts a GPT only behind a protective MBR.
  if (!hasSignature(head)) return false;
  const entries = mbrEntriesOf(head);
  if (entries.some((entry) => entry.flag !== 0 && entry.flag !== 0x80)) {
    // A file system without a partition table. OVMF boots from a FAT with a loader.
    const isFat = head.toString("latin1", 54, 57) === "FAT" || head.toString("latin1", 82, 85) === "FAT";
    return isFat ? undefined : false;
  }
  if (entries.some((entry) => entry.type === MBR_PROTECTIVE)) {
    const gpt = gptHasEfi(head, 512, diskBytes) ?? gptHasEfi(head, 4096, diskBytes);
    if (gpt !== undefined) return gpt === "unknown" ? undefined : gpt;
  }
  const onDisk = (entry: MbrEntry) => entry.first > 0 && entry.sectors > 0 && entry.first * 512 < diskBytes;
  if (entries.some((entry) => entry.type === MBR_EFI_SYSTEM && onDisk(entry))) return true;
  // A logical partition could be one, but its table is inside the extended partition.
  return entries.some((entry) => MBR_EXTENDED.includes(entry.type)) ? undefined : false;
}

/** `bootsBios`: the first sector has the signature and code other than zeros. Partitioning programs leave a stub there,
 * too (libparted with an MBR table), so it means "would be tried", not "is installed". `bootsUefi`: an EFI system
 * partition, whatever its content. */
export function bootableOf(head: Buffer, diskBytes: number): Bootable {
  const bootsUefi = hasEfi(head, diskBytes);
  return {
    bootsBios: hasSignature(head) && head.subarray(0, 440).some((byte) => byte !== 0),
    ...(bootsUefi !== undefined && { bootsUefi }),
  };
}
