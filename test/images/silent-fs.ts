/** A file system whose files never answer, as on a network mount whose server is gone: `node silent-fs.ts DIRECTORY` mounts
 * it there through /dev/fuse, says "ready", and ends with its process. Opening `open.iso` and reading any other file
 * waits for ever; looking at them does not. */
import { spawnSync } from "node:child_process";
import { openSync, readSync, writeSync } from "node:fs";

const OP = {
  lookup: 1,
  forget: 2,
  getattr: 3,
  open: 14,
  read: 15,
  init: 26,
  opendir: 27,
  readdir: 28,
  batchForget: 42,
};
/** statfs, flush, release, releasedir and the like: nothing to say, all is well. */
const EMPTY = [18, 25, 29];
const ENOENT = -2;
const ENOSYS = -38;
const files = ["open.iso", "read.iso", "disk.qcow2"];
const FILE_BYTES = 1n << 30n;

const device = openSync("/dev/fuse", "r+");
const options = "fd=3,rootmode=40000,user_id=0,group_id=0,allow_other";
const mounted = spawnSync("mount", ["-i", "-t", "fuse", "-o", options, "bootwright-silent", process.argv[2]!], {
  stdio: ["ignore", "inherit", "inherit", device],
});
if (mounted.status !== 0) process.exit(1);

/** struct fuse_attr */
function attributes(node: number): Buffer {
  const attr = Buffer.alloc(88);
  attr.writeBigUInt64LE(BigInt(node), 0);
  if (node !== 1) attr.writeBigUInt64LE(FILE_BYTES, 8);
  attr.writeUInt32LE(node === 1 ? 0o040755 : 0o100644, 60);
  attr.writeUInt32LE(1, 64);
  attr.writeUInt32LE(4096, 80);
  return attr;
}

/** What an operation is answered with: bytes, an error, or nothing for ever. */
function answer(op: number, node: number, body: Buffer): Buffer | number | undefined {
  if (op === OP.init) {
    const out = Buffer.alloc(64);
    out.writeUInt32LE(7, 0);
    out.writeUInt32LE(31, 4);
    out.writeUInt32LE(4096, 20);
    return out;
  }
  if (op === OP.lookup) {
    const at = files.indexOf(body.toString("utf8", 0, body.indexOf(0)));
    if (at < 0) return ENOENT;
    const entry = Buffer.alloc(40);
    entry.writeBigUInt64LE(BigInt(at + 2), 0);
    return Buffer.concat([entry, attributes(at + 2)]);
  }
  if (op === OP.getattr) return Buffer.concat([Buffer.alloc(16), attributes(node)]);
  if (op === OP.opendir) return Buffer.alloc(16);
  if (op === OP.open) return files[node - 2] === "open.iso" ? undefined : Buffer.alloc(16);
  if (op === OP.readdir) {
    if (body.readBigUInt64LE(8) > 0n) return Buffer.alloc(0);
    const entries = files.map((name, index) => {
      const entry = Buffer.alloc(24 + Math.ceil(name.length / 8) * 8);
      entry.writeBigUInt64LE(BigInt(index + 2), 0);
      entry.writeBigUInt64LE(BigInt(index + 1), 8);
      entry.writeUInt32LE(name.length, 16);
      entry.writeUInt32LE(8, 20);
      entry.write(name, 24);
      return entry;
    });
    return Buffer.concat(entries);
  }
  if (EMPTY.includes(op)) return Buffer.alloc(0);
  return op === OP.read ? undefined : ENOSYS;
}

process.stdout.write("ready\n");
const request = Buffer.alloc(1 << 18);
for (;;) {
  const length = readSync(device, request);
  const op = request.readUInt32LE(4);
  if (op === OP.forget || op === OP.batchForget || op === 36) continue;
  const given = answer(op, Number(request.readBigUInt64LE(16)), request.subarray(40, length));
  if (given === undefined) continue;
  const body = typeof given === "number" ? Buffer.alloc(0) : given;
  const reply = Buffer.alloc(16);
  reply.writeUInt32LE(16 + body.length, 0);
  reply.writeInt32LE(typeof given === "number" ? given : 0, 4);
  request.copy(reply, 8, 8, 16);
  writeSync(device, Buffer.concat([reply, body]));
}
