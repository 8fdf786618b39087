/** Reads qcow2 headers without QEMU: an image's references must be known before QEMU opens it, since QEMU follows them.
 * See QEMU's docs/interop/qcow2.txt. */
import type { ReadAt } from "./image-file.ts";

export type Qcow2Header = Readonly<{
  virtualBytes: number;
  /** As written in the image: relative to its directory, absolute, or not a path at all. */
  backing?: string;
  backingFormat?: string;
  /** Guest data is in another file; `name` is absent when the image does not name it. */
  dataFile?: Readonly<{ name?: string }>;
  corrupt: boolean;
  encrypted: boolean;
}>;

/** A file with qcow2's magic number whose header QEMU would not accept. */
export type MalformedHeader = Readonly<{ malformed: string }>;

const INCOMPATIBLE_CORRUPT = 1n << 1n;
const INCOMPATIBLE_DATA_FILE = 1n << 2n;
/** Dirty, corrupt, data file, compression type, extended L2 entries: all that QEMU knows. */
const INCOMPATIBLE_KNOWN = 0b11111n;
/** QEMU's own limits (block/qcow2.h). */
const L1_ENTRIES_MAX = (32 << 20) / 8;
const REFCOUNT_TABLE_BYTES_MAX = 8 << 20;
const REFCOUNT_ORDER_MAX = 6;
const SNAPSHOTS_MAX = 65_536;
const CRYPT_METHOD_MAX = 2;
const EXTENSION_BACKING_FORMAT = 0xe2792aca;
const EXTENSION_DATA_FILE = 0x44415441;
const NAME_BYTES_MAX = 1023;
const EXTENSIONS_MAX = 64;

export const isQcow2 = (head: Buffer): boolean => head.length >= 4 && head.readUInt32BE(0) === 0x514649fb;

/** The name in the bytes; undefined if it is not UTF-8 or contains a NUL, since QEMU would then open another path than
 * the checked one. */
function decodeName(bytes: Buffer): string | undefined {
  if (bytes.includes(0)) return undefined;
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

type Extensions = { backingFormat?: string; dataFileName?: string };

function readExtensions(cluster: Buffer, start: number, end: number): Extensions | MalformedHeader {
  const found: Extensions = {};
  let at = start;
  for (let count = 0; count < EXTENSIONS_MAX && at + 8 <= end; count += 1) {
    const type = cluster.readUInt32BE(at);
    const length = cluster.readUInt32BE(at + 4);
    if (type === 0) return found;
    if (at + 8 + length > end) return { malformed: "a header extension is longer than the header" };
    if (type === EXTENSION_BACKING_FORMAT || type === EXTENSION_DATA_FILE) {
      const text = length <= NAME_BYTES_MAX ? decodeName(cluster.subarray(at + 8, at + 8 + length)) : undefined;
      if (text === undefined) return { malformed: "a header extension holds no text" };
      if (type === EXTENSION_DATA_FILE) found.dataFileName = text;
      else found.backingFormat = text;
    }
    at += 8 + Math.ceil(length / 8) * 8;
  }
  return at + 8 <= end ? { malformed: "too many header extensions" } : found;
}

/** The fault of the tables that the header names. QEMU reads tables behind the end of the file as zeros, so a truncated
 * image would pass for a blank disk. */
async function troubleWithTables(start: Buffer, read: ReadAt): Promise<string | undefined> {
  const version = start.readUInt32BE(4);
  const clusterBytes = 1 << start.readUInt32BE(20);
  if (version === 3 && start.readBigUInt64BE(72) > INCOMPATIBLE_KNOWN) return "it needs an unknown feature";
  if (version === 3 && start.readUInt32BE(96) > REFCOUNT_ORDER_MAX) return "the refcount order is out of range";
  if (start.readUInt32BE(32) > CRYPT_METHOD_MAX) return "the encryption is unknown";
  const snapshots = start.readUInt32BE(60);
  if (snapshots > SNAPSHOTS_MAX) return "the number of snapshots is out of range";
  if (start.readUInt32BE(36) > L1_ENTRIES_MAX) return "the L1 table is too large";
  if (start.readUInt32BE(56) * clusterBytes > REFCOUNT_TABLE_BYTES_MAX) return "the refcount table is too large";
  const tables = { L1: start.readBigUInt64BE(40), refcount: start.readBigUInt64BE(48) };
  for (const [name, at] of Object.entries(
    snapshots > 0 ? { ...tables, snapshot: start.readBigUInt64BE(64) } : tables,
  )) {
    const there = at <= BigInt(Number.MAX_SAFE_INTEGER) && (await read(Number(at), 1)).length === 1;
    if (!there) return `the ${name} table is behind the end of the file`;
  }
  return undefined;
}

/** The header of an image with the magic number. Reads one cluster (at most 2 MiB) and a byte of each table; never
 * throws because of the content.
 * @throws the read's error */
export async function readQcow2Header(read: ReadAt): Promise<Qcow2Header | MalformedHeader> {
  const start = await read(0, 104);
  if (start.length < 72) return { malformed: "the header is cut off" };
  const version = start.readUInt32BE(4);
  if (version !== 2 && version !== 3) return { malformed: `version ${version} is unknown` };
  if (version === 3 && start.length < 104) return { malformed: "the header is cut off" };
  const clusterBits = start.readUInt32BE(20);
  if (clusterBits < 9 || clusterBits > 21) return { malformed: "the cluster size is out of range" };
  const clusterBytes = 1 << clusterBits;
  const virtualBytes = Number(start.readBigUInt64BE(24));
  if (!Number.isSafeInteger(virtualBytes)) return { malformed: "the virtual size is out of range" };

  const trouble = await troubleWithTables(start, read);
  if (trouble !== undefined) return { malformed: trouble };

  const headerBytes = version === 3 ? start.readUInt32BE(100) : 72;
  const backingAt = start.readBigUInt64BE(8);
  const backingBytes = start.readUInt32BE(16);
  if (headerBytes < (version === 3 ? 104 : 72) || headerBytes > clusterBytes) {
    return { malformed: "the header length is out of range" };
  }
  if (backingAt !== 0n && (backingAt > BigInt(clusterBytes) || backingBytes > NAME_BYTES_MAX)) {
    return { malformed: "the backing file's name is out of range" };
  }

  const cluster = await read(0, clusterBytes);
  const extensions = readExtensions(cluster, headerBytes, Math.min(cluster.length, Number(backingAt) || clusterBytes));
  if ("malformed" in extensions) return extensions;
  const incompatible = version === 3 ? start.readBigUInt64BE(72) : 0n;
  const hasDataFile = (incompatible & INCOMPATIBLE_DATA_FILE) !== 0n || extensions.dataFileName !== undefined;
  const header = {
    virtualBytes,
    corrupt: (incompatible & INCOMPATIBLE_CORRUPT) !== 0n,
    encrypted: start.readUInt32BE(32) !== 0,
    ...(extensions.backingFormat !== undefined && { backingFormat: extensions.backingFormat }),
    ...(hasDataFile && { dataFile: extensions.dataFileName === undefined ? {} : { name: extensions.dataFileName } }),
  };
  if (backingAt === 0n || backingBytes === 0) return header;
  const bytes = cluster.subarray(Number(backingAt), Number(backingAt) + backingBytes);
  const backing = bytes.length === backingBytes ? decodeName(bytes) : undefined;
  return backing === undefined ? { malformed: "the backing file's name cannot be read" } : { ...header, backing };
}
