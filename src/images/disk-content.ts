/** Determines a disk's content: whether it holds data, and whether firmware would boot from it.
 *
 * `blank` must be proven: the whole disk reads as zeros. A disk that was only partitioned, or whose installer died
 * after that, is `data`, since losing it loses something; `bootsBios` and `bootsUefi` rate its boot sector. The steps,
 * cheapest first:
 * 1. anything but zeros in the first 64 KiB (partition tables, most file systems and volume managers) is `data`;
 * 2. no allocated piece that could hold anything but zeros, backing files included, is `blank`;
 * 3. allocated pieces behind a zero head (a preallocated disk, a wiped one, Btrfs without partitions) are read, the
 * first    MiB of at most sixteen: anything but zeros is `data`, all of everything read and zero is `blank`, the rest
 * `unknown`. A running VM's QEMU may hold unwritten data: `blank` then describes the file, not the guest. */
import type { DiskFact } from "../domain/model/image-fact.ts";
import { type Bootable, bootableOf, HEAD_BYTES } from "./partition.ts";
import type { Extent } from "./qemu-img.ts";

export type Content = Pick<DiskFact, "content"> & Partial<Bootable>;

export type ContentSource = Readonly<{
  virtualBytes: number;
  /** Exactly `length` bytes; never called for bytes behind the end. */
  read(position: number, length: number): Promise<Buffer>;
  /** `undefined`: too many pieces to list. */
  map(): Promise<readonly Extent[] | undefined>;
}>;

const PIECES_MAX = 16;
const PIECE_BYTES = 1 << 20;

const isZero = (bytes: Buffer): boolean => !bytes.some((byte) => byte !== 0);

/** @throws the source's error */
export async function readContent(source: ContentSource): Promise<Content> {
  const head = await source.read(0, Math.min(HEAD_BYTES, source.virtualBytes));
  if (!isZero(head)) return { content: "data", ...bootableOf(head, source.virtualBytes) };
  const nothing = { bootsBios: false, bootsUefi: false };
  const extents = await source.map();
  // No program spreads zeros over tens of thousands of pieces.
  if (!extents) return { content: "data", ...nothing };
  const pieces = extents.filter((extent) => extent.data && !extent.zero);
  let complete = pieces.length <= PIECES_MAX;
  for (const { start, length } of pieces.slice(0, PIECES_MAX)) {
    if (length > PIECE_BYTES) complete = false;
    if (!isZero(await source.read(start, Math.min(length, PIECE_BYTES)))) return { content: "data", ...nothing };
  }
  return { content: complete ? "blank" : "unknown", ...nothing };
}
