/** Files that no hypervisor should be handed: disks that must not be opened, and ISOs that are none or lie. Each is made at
 * the path that it is to stand at; what it refers to outside lies in `outside` beside that path's directory. */
import { execFileSync } from "node:child_process";
import { closeSync, mkdirSync, openSync, rmSync, symlinkSync, truncateSync, writeFileSync, writeSync } from "node:fs";
import { dirname, join } from "node:path";
import { type HeaderParts, makeIso, makeQcow2, qcow2Header, qemuImg, SECTOR } from "../images/fixture.ts";

const DATA_FILE = 0x44415441;
const BACKING_FORMAT = 0xe2792aca;

const header = (parts: HeaderParts, change?: (bytes: Buffer) => void) => (path: string) => {
  const bytes = qcow2Header(parts);
  change?.(bytes);
  writeFileSync(path, bytes);
};
const outside = (path: string, name: string) => join(dirname(dirname(path)), "outside", name);
const beside = (path: string, name: string) => join(dirname(path), name);
/** Makes a real image, which QEMU itself would open, with bytes of its header changed. */
const real =
  (change: (bytes: Buffer, path: string) => void, options: string[] = []) =>
  (path: string) => {
    makeQcow2(path, "1G", ...options);
    const fd = openSync(path, "r+");
    const bytes = execFileSync("head", ["-c", "65536", path]);
    change(bytes, path);
    writeSync(fd, bytes, 0, bytes.length, 0);
    closeSync(fd);
  };

/** The disks that must keep a VM from being started, and from being grown. */
export const hostileDisks: [name: string, make: (path: string) => void][] = [
  [
    "a backing file outside",
    (path) => void qemuImg("create", "-q", "-f", "qcow2", "-b", outside(path, "base.qcow2"), "-F", "qcow2", path),
  ],
  ["a backing file outside, relative", header({ backing: "../outside/base.qcow2" })],
  [
    "a backing file outside, through a link",
    (path) => {
      rmSync(beside(path, "link"), { force: true });
      symlinkSync(outside(path, "base.qcow2"), beside(path, "link"));
      header({ backing: "link" })(path);
    },
  ],
  [
    "a raw backing file outside",
    header({ backing: "/etc/passwd", extensions: [[BACKING_FORMAT, Buffer.from("raw")]] }),
  ],
  [
    "a data file outside",
    (path) => {
      const data = outside(path, "data.raw");
      qemuImg("create", "-q", "-f", "qcow2", "-o", `data_file=${data},data_file_raw=on`, path, "1G");
    },
  ],
  [
    "a data file outside, relative",
    header({ incompatible: 4n, extensions: [[DATA_FILE, Buffer.from("../outside/secret.raw")]] }),
  ],
  ["a json: backing name", header({ backing: 'json:{"driver":"file","filename":"/etc/shadow"}' })],
  [
    "a json: data file name",
    header({
      incompatible: 4n,
      extensions: [[DATA_FILE, Buffer.from('json:{"driver":"file","filename":"/etc/shadow"}')]],
    }),
  ],
  ...[
    "nbd://127.0.0.1:10809/x",
    "fat:/etc",
    "http://127.0.0.1/x",
    "ssh://root@127.0.0.1/etc/shadow",
    "file:/etc/shadow",
    "host_device:/dev/sda",
  ].map((backing): [string, (path: string) => void] => [`the backing name ${backing}`, header({ backing })]),
  ["itself as its backing file", (path) => header({ backing: path })(path)],
  [
    "a loop of backing files",
    (path) => {
      header({ backing: path })(beside(path, "loop.qcow2"));
      header({ backing: "loop.qcow2" })(path);
    },
  ],
  [
    "a chain of 100 files",
    (path) => {
      for (let index = 0; index < 100; index++)
        header({ backing: `chain-${index + 1}` })(beside(path, `chain-${index}`));
      header({ backing: "chain-0" })(path);
    },
  ],
  ["a directory as its backing file", (path) => header({ backing: "." })(path)],
  ["a backing file that is not there", header({ backing: "gone.qcow2" })],
  [
    "a FIFO as its backing file",
    (path) => {
      rmSync(beside(path, "pipe"), { force: true });
      execFileSync("mkfifo", [beside(path, "pipe")]);
      header({ backing: "pipe" })(path);
    },
  ],
  ["a virtual size of 2^63", real((bytes) => bytes.writeBigUInt64BE(1n << 63n, 24))],
  ["a virtual size of 2^64 - 1", real((bytes) => bytes.writeBigUInt64BE((1n << 64n) - 1n, 24))],
  ["the corrupt bit", real((bytes) => bytes.writeBigUInt64BE(2n, 72))],
  ["an unknown incompatible feature", real((bytes) => bytes.writeBigUInt64BE(1n << 40n, 72))],
  ["an L1 table of 2^32 - 1 entries", real((bytes) => bytes.writeUInt32BE(0xffff_ffff, 36))],
  ["an L1 table outside the file", real((bytes) => bytes.writeBigUInt64BE(1n << 60n, 40))],
  ["a refcount table of 2^32 - 1 clusters", real((bytes) => bytes.writeUInt32BE(0xffff_ffff, 56))],
  ["a refcount table outside the file", real((bytes) => bytes.writeBigUInt64BE(1n << 61n, 48))],
  ["a refcount order of 255", real((bytes) => bytes.writeUInt32BE(255, 96))],
  ["2^32 - 1 snapshots", real((bytes) => bytes.writeUInt32BE(0xffff_ffff, 60))],
  [
    "a snapshot table outside the file",
    real((bytes) => {
      bytes.writeUInt32BE(1, 60);
      bytes.writeBigUInt64BE(1n << 60n, 64);
    }),
  ],
  ["the old encryption", real((bytes) => bytes.writeUInt32BE(1, 32))],
  ["an unknown encryption", real((bytes) => bytes.writeUInt32BE(77, 32))],
  ["a version of 4", real((bytes) => bytes.writeUInt32BE(4, 4))],
  ["clusters of 2^31 bytes", real((bytes) => bytes.writeUInt32BE(31, 20))],
  ["a VMDK that is said to be qcow2", (path) => void qemuImg("create", "-q", "-f", "vmdk", path, "1G")],
  ["a VDI that is said to be qcow2", (path) => void qemuImg("create", "-q", "-f", "vdi", path, "1G")],
  ["a VHDX that is said to be qcow2", (path) => void qemuImg("create", "-q", "-f", "vhdx", path, "1G")],
  ["a raw file that is said to be qcow2", (path) => writeFileSync(path, Buffer.alloc(1 << 20, "raw"))],
  [
    "a VMDK descriptor that names a file",
    (path) => writeFileSync(path, '# Disk DescriptorFile\nRW 1 FLAT "/etc/shadow" 0\n'),
  ],
  ["nothing", (path) => writeFileSync(path, "")],
  ["a FIFO", (path) => void execFileSync("mkfifo", [path])],
  ["a directory", (path) => void mkdirSync(path)],
  ["a link to a device", (path) => symlinkSync("/dev/zero", path)],
  ["a link to itself", (path) => symlinkSync(path, path)],
  ["no file at all", () => {}],
  ...[4, 8, 16, 20, 24, 32, 36, 40, 48, 56, 60, 64, 71, 72, 80, 96, 100, 103].map(
    (length): [string, (path: string) => void] => [
      `an image cut off after ${length} bytes`,
      (path) => {
        makeQcow2(path, "1G");
        truncateSync(path, length);
      },
    ],
  ),
];

const atSector = (bytes: Buffer, sector: number) => bytes.subarray(sector * SECTOR, (sector + 1) * SECTOR);
const broken = (kind: "bios" | "both", change: (bytes: Buffer) => void) => (path: string) => {
  makeIso(path, kind);
  const bytes = execFileSync("cat", [path], { maxBuffer: 64 << 20 });
  change(bytes);
  writeFileSync(path, bytes);
};
/** What becomes of a medium: it is refused, by its name with one code and by its path perhaps with another, or taken for
 * what it boots, and then so is what is said of it. */
export type MediumOutcome =
  | Readonly<{ refused: string; byPath?: string; because?: RegExp }>
  | Readonly<{ boots: readonly ("bios" | "uefi")[]; findings: readonly string[]; label?: RegExp }>;

const blocked = (because: RegExp): MediumOutcome => ({ refused: "BLOCKED_BY_FINDINGS", because });
/** The outcome of a medium whose name is none of the library's and whose path is looked at. */
const noFile: MediumOutcome = {
  refused: "ISO_NOT_FOUND",
  byPath: "BLOCKED_BY_FINDINGS",
  because: /"code":"ISO_UNREADABLE".*is not a file/,
};
const outsideLibrary: MediumOutcome = { refused: "ISO_OUTSIDE_LIBRARY" };
const noVolume = blocked(/"code":"ISO_UNREADABLE".*is not an ISO 9660 image/);
/** The outcome of a disc of data that nothing boots from, which may be just what is wanted. */
const dataOnly: MediumOutcome = { boots: [], findings: ["ISO_NOT_BOOTABLE"] };

export const hostileMedia: [name: string, make: (path: string) => void, outcome: MediumOutcome][] = [
  ["no volume descriptor", broken("both", (bytes) => atSector(bytes, 16).fill(0)), noVolume],
  [
    "descriptors without an end",
    broken("both", (bytes) => {
      for (let sector = 16; sector < 80; sector++) atSector(bytes, sector).write("\x02CD001\x01", 0, "latin1");
    }),
    noVolume,
  ],
  [
    "a volume that claims 8 TiB",
    broken("both", (bytes) => atSector(bytes, 16).writeUInt32LE(0xffff_ffff, 80)),
    blocked(/"code":"ISO_TRUNCATED"/),
  ],
  [
    "a boot catalogue outside the file",
    broken("both", (bytes) => atSector(bytes, 17).writeUInt32LE(0xffff_ffff, 0x47)),
    dataOnly,
  ],
  [
    "a boot catalogue that is its own boot record",
    broken("both", (bytes) => atSector(bytes, 17).writeUInt32LE(17, 0x47)),
    dataOnly,
  ],
  [
    "boot sections that never end",
    broken("both", (bytes) => {
      const catalogue = atSector(bytes, atSector(bytes, 17).readUInt32LE(0x47));
      for (let at = 64; at < SECTOR; at += 32) catalogue.set([0x90, 0xef, 0xff, 0xff], at);
    }),
    // The entry before them is whole, and SeaBIOS reads no further.
    { boots: ["bios"], findings: [] },
  ],
  [
    "control characters for a name",
    broken("both", (bytes) => atSector(bytes, 16).write("\x1b[31m\u202e\0</a>", 40, "latin1")),
    { boots: ["bios", "uefi"], findings: [], label: /^\[31m[!-~ ]*$/ },
  ],
  ["no bytes", (path) => writeFileSync(path, ""), blocked(/"code":"ISO_UNREADABLE".*is empty/)],
  [
    "1 TB of nothing",
    (path) => {
      writeFileSync(path, "");
      truncateSync(path, 2 ** 40);
    },
    noVolume,
  ],
  ["a qcow2 for an ISO", (path) => header({ backing: "/etc/shadow" })(path), noVolume],
  ["a FIFO", (path) => void execFileSync("mkfifo", [path]), noFile],
  ["a directory", (path) => void mkdirSync(path), noFile],
  ["a link to a device", (path) => symlinkSync("/dev/zero", path), outsideLibrary],
  ["a link to outside", (path) => symlinkSync("/etc/passwd", path), outsideLibrary],
  ["a link to itself", (path) => symlinkSync(path, path), { refused: "ISO_NOT_FOUND" }],
  ["a link to /proc", (path) => symlinkSync("/proc/kmsg", path), outsideLibrary],
];
