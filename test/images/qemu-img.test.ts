import { readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { localHost } from "../../src/host-access/local-host.ts";
import { createQemuImg } from "../../src/images/qemu-img.ts";
import { directory, makeQcow2, qcow2Header, refusalOf, writeDisk, writeFile } from "./fixture.ts";

const qemuImg = createQemuImg(localHost);

test("create(), info() and grow() agree on a size", async () => {
  const path = join(directory(), "disk.qcow2");
  await qemuImg.create(path, 3 << 20);
  expect(await qemuImg.info(path, "qcow2")).toMatchObject({ virtualBytes: 3 << 20 });
  await qemuImg.grow(path, "qcow2", 5 << 20);
  expect(await qemuImg.info(path, "qcow2")).toMatchObject({ virtualBytes: 5 << 20 });
  expect((await refusalOf(qemuImg.grow(path, "qcow2", 1 << 20))).code).toBe("IMAGE_TOOL_FAILED");
});

test("read() gives guest-visible bytes at a position, whatever the image is called, and leaves no file behind", async () => {
  const at = directory();
  vi.stubEnv("TMPDIR", at);
  onTestFinished(() => void vi.unstubAllEnvs());
  const path = makeQcow2(join(at, "disk,format=raw,x=.qcow2"), "200K");
  writeDisk(path, "qcow2", Buffer.alloc(65_536, 7), 131_072);
  expect(await qemuImg.read(path, "qcow2", 65_536, 65_536)).toEqual(Buffer.alloc(65_536));
  const rest = Buffer.concat([Buffer.alloc(65_536, 7), Buffer.alloc(8_192)]);
  expect(await qemuImg.read(path, "qcow2", 131_072, 73_728)).toEqual(rest);
  expect((await refusalOf(qemuImg.read(path, "qcow2", 131_072, 131_072))).code).toBe("IMAGE_TOOL_FAILED");
  expect(readdirSync(at)).toEqual(["disk,format=raw,x=.qcow2"]);
});

test("map() tells data from zeros, and takes the stated format, not what the bytes look like", async () => {
  const at = directory();
  const path = makeQcow2(join(at, "disk.qcow2"), "1M");
  writeDisk(path, "qcow2", Buffer.alloc(65_536, 7), 524_288);
  const extents = (await qemuImg.map(path, "qcow2")) ?? [];
  expect(extents.filter((extent) => extent.data && !extent.zero)).toMatchObject([{ start: 524_288, length: 65_536 }]);
  const raw = writeFile(join(at, "raw"), qcow2Header({ backing: "/etc/shadow" }));
  expect(await qemuImg.info(raw, "raw")).toMatchObject({ virtualBytes: 65_536 });
});

test("check() finds broken tables, and takes leaks for none", async () => {
  const path = makeQcow2(join(directory(), "disk.qcow2"), "1M");
  expect(await qemuImg.check(path, "qcow2")).toEqual({ corrupt: false });
  writeDisk(path, "qcow2", Buffer.alloc(65_536, 7));
  // The first refcount block: from now on nothing is accounted for.
  writeDisk(path, "raw", Buffer.alloc(65_536), 131_072);
  expect(await qemuImg.check(path, "qcow2")).toEqual({ corrupt: true });
});

test("a path that is not absolute is never handed over, and a missing program is said to be so", async () => {
  await expect(qemuImg.info("nbd://localhost/x", "raw")).rejects.toThrow(TypeError);
  await expect(qemuImg.info("-h", "raw")).rejects.toThrow(TypeError);
  const refusal = await refusalOf(createQemuImg(localHost, { program: "no-qemu-img" }).info("/x", "raw"));
  expect(refusal).toMatchObject({ code: "IMAGE_TOOL_FAILED", details: { reason: "no-qemu-img is not installed" } });
});
