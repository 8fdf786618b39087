/** What the image tests stand on: a directory of their own, real ISOs by xorriso, real disks by qemu-img, and disks and
 * headers by bytes. */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import type { DomainError } from "../../src/domain/error.ts";

export const SECTOR = 2048;
const run = (command: string, ...args: string[]) =>
  execFileSync(command, args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });

/** By this process, from files and everything else. */
export const bytesRead = (): number => Number(/^rchar: (\d+)/.exec(readFileSync("/proc/self/io", "utf8"))![1]);

/** A directory that another user may look into, gone after the test. */
export function directory(): string {
  const path = realpathSync(mkdtempSync(join(tmpdir(), "bootwright-images-")));
  execFileSync("chmod", ["755", path]);
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

export type IsoKind = "bios" | "uefi" | "both" | "none" | "hybrid";

const bios = ["-b", "boot.bin", "-no-emul-boot", "-boot-load-size", "4"];
const uefi = ["-e", "efi.img", "-no-emul-boot"];
const recipe = (tree: string): Record<IsoKind, string[]> => ({
  bios,
  uefi,
  both: [...bios, "-eltorito-alt-boot", ...uefi],
  none: [],
  hybrid: [...bios, "-eltorito-alt-boot", ...uefi, "-append_partition", "2", "0xef", join(tree, "efi.img")],
});

/** A real ISO, 370 KB large or so; its boot images are arbitrary bytes. */
export function makeIso(path: string, kind: IsoKind, label = "TEST_VOLUME"): string {
  const tree = mkdtempSync(join(tmpdir(), "bootwright-tree-"));
  try {
    writeFileSync(join(tree, "boot.bin"), Buffer.alloc(SECTOR, 0x90));
    writeFileSync(join(tree, "efi.img"), Buffer.alloc(4 * SECTOR, 0x11));
    run("xorriso", "-as", "mkisofs", "-quiet", "-V", label, "-o", path, ...recipe(tree)[kind], tree);
  } finally {
    rmSync(tree, { recursive: true, force: true });
  }
  return path;
}

export const qemuImg = (...args: string[]): string => run("qemu-img", ...args);

export function makeQcow2(path: string, size = "64M", ...options: string[]): string {
  qemuImg("create", "-q", "-f", "qcow2", ...options, path, size);
  return path;
}

/** Writes guest-visible bytes into a disk at a position in bytes. */
export function writeDisk(path: string, format: "raw" | "qcow2", head: Buffer, position = 0): string {
  if (format === "raw") {
    execFileSync(
      "dd",
      [`of=${path}`, `seek=${position}`, "oflag=seek_bytes", "conv=notrunc", "bs=64k", "status=none"],
      {
        input: head,
      },
    );
    return path;
  }
  const bytes = `${path}.bytes`;
  writeFileSync(bytes, head);
  run("qemu-io", "-f", "qcow2", "-c", `write -q -s ${bytes} ${position} ${head.length}`, path);
  rmSync(bytes);
  return path;
}

/** A boot sector: 55AA, with code or without, and up to four MBR partitions of the given types. */
export function bootSector(options: { code?: boolean; types?: number[]; signature?: boolean } = {}): Buffer {
  const sector = Buffer.alloc(512);
  if (options.code) sector.fill(0xf4, 0, 16);
  (options.types ?? []).forEach((type, index) => {
    const at = 446 + 16 * index;
    sector[at + 4] = type;
    sector.writeUInt32LE(type === 0xee ? 1 : 2048, at + 8);
    sector.writeUInt32LE(4096, at + 12);
  });
  if (options.signature ?? true) sector.writeUInt16LE(0xaa55, 510);
  return sector;
}

export const EFI_SYSTEM = "28732ac11ff8d211ba4b00a0c93ec93b";
export const LINUX_DATA = "af3dc60f838472478e793d69d8477de4";

/** The head of a disk with a GPT of one partition behind a protective MBR. */
export function gptHead(
  type: string,
  options: { sectorBytes?: number; entriesAt?: number; last?: bigint } = {},
): Buffer {
  const { sectorBytes = 512, entriesAt = 2, last = 4095n } = options;
  const head = Buffer.alloc(64 * 1024);
  bootSector({ types: [0xee] }).copy(head);
  head.write("EFI PART", sectorBytes, "latin1");
  head.writeBigUInt64LE(BigInt(entriesAt), sectorBytes + 72);
  head.writeUInt32LE(128, sectorBytes + 80);
  head.writeUInt32LE(128, sectorBytes + 84);
  const at = entriesAt * sectorBytes;
  if (at + 128 <= head.length) {
    Buffer.from(type, "hex").copy(head, at + 128);
    head.writeBigUInt64LE(2048n, at + 128 + 32);
    head.writeBigUInt64LE(last, at + 128 + 40);
  }
  return head;
}

export type HeaderParts = {
  version?: number;
  backing?: string;
  backingBytes?: number;
  incompatible?: bigint;
  extensions?: [type: number, data: Buffer, claimed?: number][];
  clusterBits?: number;
  virtualBytes?: bigint;
  headerBytes?: number;
};

/** One cluster that begins as a qcow2 image does. QEMU would open none of them; headers are all that is read. */
export function qcow2Header(parts: HeaderParts = {}): Buffer {
  const header = Buffer.alloc(65_536);
  header.write("QFI\xfb", 0, "latin1");
  header.writeUInt32BE(parts.version ?? 3, 4);
  header.writeUInt32BE(parts.clusterBits ?? 16, 20);
  header.writeBigUInt64BE(parts.virtualBytes ?? 1n << 30n, 24);
  header.writeBigUInt64BE(parts.incompatible ?? 0n, 72);
  header.writeUInt32BE(parts.headerBytes ?? 104, 100);
  let at = parts.version === 2 ? 72 : (parts.headerBytes ?? 104);
  for (const [type, data, claimed] of parts.extensions ?? []) {
    header.writeUInt32BE(type, at);
    header.writeUInt32BE(claimed ?? data.length, at + 4);
    data.copy(header, at + 8);
    at += 8 + Math.ceil(data.length / 8) * 8;
  }
  if (parts.backing !== undefined) {
    header.writeBigUInt64BE(4096n, 8);
    header.writeUInt32BE(parts.backingBytes ?? Buffer.byteLength(parts.backing), 16);
    header.write(parts.backing, 4096);
  }
  return header;
}

export function writeFile(path: string, bytes: Buffer | string = "data"): string {
  mkdirSync(join(path, ".."), { recursive: true });
  writeFileSync(path, bytes);
  return path;
}

/** Runs `use` while a QEMU, its processor stopped, has the disk open. */
export async function whileInUse(path: string, format: string, use: () => Promise<void>): Promise<void> {
  const drive = `file=${path},format=${format},if=virtio`;
  const args = ["-accel", "tcg", "-display", "none", "-S", "-qmp", "stdio", "-drive", drive];
  const qemu = spawn("qemu-system-x86_64", args, { stdio: ["pipe", "pipe", "ignore"] });
  try {
    // A pid file is written before the disks are opened; an answer comes after.
    qemu.stdin.write('{"execute": "qmp_capabilities"}\n');
    let said = "";
    for await (const text of qemu.stdout.setEncoding("utf8").iterator({ destroyOnReturn: false })) {
      said += text;
      if (said.includes('"return"')) break;
    }
    await use();
  } finally {
    const ended = once(qemu, "exit");
    qemu.kill("SIGKILL");
    await ended;
  }
}

/** The refusal that a call ends in, for its code and details. */
export async function refusalOf(work: Promise<unknown>): Promise<DomainError> {
  const outcome = await work.then(
    (value) => new Error(`no refusal but ${JSON.stringify(value)}`),
    (error: unknown) => error,
  );
  if (outcome instanceof Error && outcome.name === "DomainError") return outcome as DomainError;
  throw outcome;
}

/** Reads from a buffer as from a file. */
export const readerOf = (bytes: Buffer) => async (position: number, length: number) =>
  bytes.subarray(Math.min(position, bytes.length), Math.min(position + length, bytes.length));
