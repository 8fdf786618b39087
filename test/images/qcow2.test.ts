import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { readQcow2Header } from "../../src/images/qcow2.ts";
import { directory, type HeaderParts, makeQcow2, qcow2Header, qemuImg, readerOf } from "./fixture.ts";

const DATA_FILE = 0x44415441;
const BACKING_FORMAT = 0xe2792aca;
const headerOf = (bytes: Buffer) => readQcow2Header(readerOf(bytes));

describe("readQcow2Header()", () => {
  test("reads what qemu-img wrote, in both versions", async () => {
    const at = directory();
    const base = makeQcow2(join(at, "base.qcow2"), "32M");
    const overlay = join(at, "overlay.qcow2");
    qemuImg("create", "-q", "-f", "qcow2", "-b", "base.qcow2", "-F", "qcow2", overlay, "48M");
    const old = makeQcow2(join(at, "old.qcow2"), "16M", "-o", "compat=0.10");
    const outer = makeQcow2(join(at, "outer.qcow2"), "16M", "-o", `data_file=${join(at, "outer.raw")}`);
    const plain = { corrupt: false, encrypted: false };
    expect(await headerOf(readFileSync(base))).toEqual({ ...plain, virtualBytes: 32 << 20 });
    expect(await headerOf(readFileSync(overlay))).toEqual({
      ...plain,
      virtualBytes: 48 << 20,
      backing: "base.qcow2",
      backingFormat: "qcow2",
    });
    expect(await headerOf(readFileSync(old))).toEqual({ ...plain, virtualBytes: 16 << 20 });
    expect(await headerOf(readFileSync(outer))).toMatchObject({ dataFile: { name: join(at, "outer.raw") } });
  });

  test("sees the corrupt bit, and a data file that is not named", async () => {
    expect(await headerOf(qcow2Header({ incompatible: 2n }))).toMatchObject({ corrupt: true });
    expect(await headerOf(qcow2Header({ incompatible: 4n }))).toMatchObject({ dataFile: {} });
  });

  test("sees a data file's name even where the bit is not set", async () => {
    const bytes = qcow2Header({ extensions: [[DATA_FILE, Buffer.from("/etc/shadow")]] });
    expect(await headerOf(bytes)).toMatchObject({ dataFile: { name: "/etc/shadow" } });
  });

  const hostile: [name: string, parts: HeaderParts][] = [
    ["version 4", { version: 4 }],
    ["clusters of 256 bytes", { clusterBits: 8 }],
    ["clusters of 4 GiB", { clusterBits: 32 }],
    ["a header of 4 GiB", { headerBytes: 0xfffffff0 - 0x100 }],
    ["a header of 8 bytes", { headerBytes: 8 }],
    ["a virtual size beyond 2^53", { virtualBytes: 1n << 62n }],
    ["a backing name of 1 GiB", { backing: "x", backingBytes: 1 << 30 }],
    ["a backing name with a NUL", { backing: "base\0/etc/shadow" }],
    ["an extension of 4 GiB", { extensions: [[1, Buffer.alloc(8), 0xfffffff0]] }],
    ["a data file's name with a NUL", { extensions: [[DATA_FILE, Buffer.from("a\0b")]] }],
    ["a backing format of 2,000 characters", { extensions: [[BACKING_FORMAT, Buffer.alloc(2000, "q")]] }],
    ["a thousand extensions", { extensions: Array.from({ length: 1000 }, () => [1, Buffer.alloc(8)]) }],
  ];
  test.each(hostile)("calls a header with %s malformed", async (_name, parts) => {
    const { headerBytes, ...rest } = parts;
    const bytes = qcow2Header(rest);
    if (headerBytes !== undefined) bytes.writeUInt32BE(headerBytes, 100);
    expect(await headerOf(bytes)).toHaveProperty("malformed");
  });

  const tables: [name: string, change: (bytes: Buffer) => void][] = [
    ["an unknown incompatible feature", (bytes) => bytes.writeBigUInt64BE(1n << 40n, 72)],
    ["an L1 table of 2^32 - 1 entries", (bytes) => bytes.writeUInt32BE(0xffff_ffff, 36)],
    ["an L1 table behind its end", (bytes) => bytes.writeBigUInt64BE(1n << 40n, 40)],
    ["an L1 table behind every end", (bytes) => bytes.writeBigUInt64BE(1n << 60n, 40)],
    ["a refcount table of 2^32 - 1 clusters", (bytes) => bytes.writeUInt32BE(0xffff_ffff, 56)],
    ["a refcount table behind its end", (bytes) => bytes.writeBigUInt64BE(1n << 40n, 48)],
    ["a refcount order of 255", (bytes) => bytes.writeUInt32BE(255, 96)],
    ["2^32 - 1 snapshots", (bytes) => bytes.writeUInt32BE(0xffff_ffff, 60)],
    ["an unknown encryption", (bytes) => bytes.writeUInt32BE(77, 32)],
    [
      "a snapshot table behind its end",
      (bytes) => {
        bytes.writeUInt32BE(1, 60);
        bytes.writeBigUInt64BE(1n << 40n, 64);
      },
    ],
  ];
  test.each(tables)("calls a real image malformed that has %s", async (_name, change) => {
    const bytes = readFileSync(makeQcow2(join(directory(), "real.qcow2")));
    expect(await headerOf(bytes)).not.toHaveProperty("malformed");
    change(bytes);
    expect(await headerOf(bytes)).toHaveProperty("malformed");
  });

  test("calls an image malformed that was cut off before its tables, and no blank disk", async () => {
    const bytes = readFileSync(makeQcow2(join(directory(), "real.qcow2")));
    expect(await headerOf(bytes.subarray(0, 70_000))).toMatchObject({
      malformed: expect.stringContaining("behind the end"),
    });
  });

  test("calls a header malformed wherever it is cut off, and whatever follows the magic", async () => {
    for (const length of [4, 40, 71, 72, 103])
      expect(await headerOf(qcow2Header().subarray(0, length))).toHaveProperty("malformed");
    expect(await headerOf(Buffer.concat([Buffer.from("QFI\xfb", "latin1"), Buffer.alloc(200, 0xff)]))).toHaveProperty(
      "malformed",
    );
  });
});
