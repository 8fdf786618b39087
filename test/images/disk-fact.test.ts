// @module-tag process
import { chmodSync, mkdirSync, readFileSync, truncateSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { openImages } from "../../src/images/images.ts";
import {
  bootSector,
  directory,
  EFI_SYSTEM,
  gptHead,
  LINUX_DATA,
  makeQcow2,
  qcow2Header,
  qemuImg,
  refusalOf,
  whileInUse,
  writeDisk,
  writeFile,
} from "./fixture.ts";

const SIZE = 64 << 20;

function makeDisk(format: "raw" | "qcow2", head?: Buffer, position?: number) {
  const at = directory();
  const path = join(at, `disk.${format}`);
  if (format === "qcow2") makeQcow2(path);
  else truncateSync(writeFile(path, ""), SIZE);
  if (head) writeDisk(path, format, head, position);
  return { at, path, images: openImages({ imageDirectory: at }) };
}

const grub = gptHead(LINUX_DATA);
bootSector({ code: true, types: [0xee] }).copy(grub);

describe.each(["raw", "qcow2"] as const)("disk() of a %s image", (format) => {
  test.each([
    ["blank", undefined, "blank", false, false],
    ["only partitioned, MBR", bootSector({ types: [0x83] }), "data", false, false],
    ["55AA without code", bootSector(), "data", false, false],
    ["55AA with code", bootSector({ code: true }), "data", true, false],
    ["MBR with an EFI system partition", bootSector({ types: [0xef] }), "data", false, true],
    ["GPT with an EFI system partition", gptHead(EFI_SYSTEM), "data", false, true],
    ["GPT with boot code", grub, "data", true, false],
    ["an extended partition", bootSector({ code: true, types: [0x0f] }), "data", true, undefined],
  ] as const)("tells what is on it: %s", async (_name, head, content, bootsBios, bootsUefi) => {
    const { path, images } = makeDisk(format, head);
    const fact = await images.disk(path);
    expect(fact).toMatchObject({ path, state: "ok", format, virtualBytes: SIZE, content, bootsBios, chain: [path] });
    expect(fact.bootsUefi).toBe(bootsUefi);
  });

  test("finds data behind an empty head", async () => {
    const { path, images } = makeDisk(format, Buffer.alloc(4_096, 1), 32 << 20);
    expect(await images.disk(path)).toMatchObject({ content: "data", bootsBios: false });
  });

  test("gives fresh facts after a rewrite that keeps the size, and kept ones otherwise", async () => {
    const { path, images } = makeDisk(format, Buffer.alloc(65_536, 1));
    expect(await images.disk(path)).toMatchObject({ content: "data", bootsBios: false });
    writeDisk(path, format, Buffer.concat([bootSector({ code: true }), Buffer.alloc(65_024, 1)]));
    expect(await images.disk(path)).toMatchObject({ content: "data", bootsBios: true });
  });

  test("can be looked at while QEMU has it open, and then not be grown", async () => {
    const { path, images } = makeDisk(format, bootSector({ code: true }));
    await whileInUse(path, format, async () => {
      expect(await images.disk(path)).toMatchObject({ state: "ok", content: "data", bootsBios: true });
      expect((await images.chain(images.ref(path))).map(({ ref }) => ref)).toEqual([path]);
      expect((await images.disk(path, { check: true })).corrupt).toBeUndefined();
      const refusal = await refusalOf(images.growDisk(path, 2 * SIZE));
      expect(refusal).toMatchObject({
        code: "IMAGE_TOOL_FAILED",
        details: { reason: expect.stringMatching(/lock/) },
      });
    });
    await images.growDisk(path, 2 * SIZE);
    expect(await images.disk(path)).toMatchObject({ virtualBytes: 2 * SIZE });
  });
});

describe("disk()", () => {
  test("says what is no disk, without throwing", async () => {
    const at = directory();
    const images = openImages({ imageDirectory: at });
    expect(await images.disk(join(at, "gone"))).toEqual({
      path: join(at, "gone"),
      image: `path:${join(at, "gone")}`,
      state: "missing",
      content: "unknown",
      chain: [join(at, "gone")],
    });
    expect(await images.disk(at)).toMatchObject({ state: "not_a_file" });
    expect(await images.disk("/dev/null")).toMatchObject({ state: "not_a_file" });
    expect(await images.disk("relative")).toMatchObject({ state: "missing" });
    expect(await images.disk(writeFile(join(at, "zero"), ""))).toMatchObject({
      state: "ok",
      format: "raw",
      virtualBytes: 0,
    });
    expect(await images.disk(writeFile(join(at, "vmdk"), "KDMV and more"))).toMatchObject({
      format: "vmdk",
      content: "unknown",
    });
  });

  test("is unreadable where the hypervisor's user cannot get", async () => {
    const at = directory();
    mkdirSync(join(at, "closed"));
    const path = makeQcow2(join(at, "closed", "disk.qcow2"));
    chmodSync(join(at, "closed"), 0o700);
    const images = openImages({ imageDirectory: at, reader: { uid: 64_055 } });
    expect(await images.disk(path)).toMatchObject({ state: "unreadable", content: "blank" });
  });

  test("does not open an image whose chain leaves the allowed directories", async () => {
    const [at, other] = [directory(), directory()];
    const base = makeQcow2(join(other, "base.qcow2"));
    const path = join(at, "top.qcow2");
    qemuImg("create", "-q", "-f", "qcow2", "-b", base, "-F", "qcow2", path);
    const images = openImages({ imageDirectory: at });
    expect(await images.disk(path)).toMatchObject({ state: "unreadable", content: "unknown", chain: [path] });
    expect(await refusalOf(images.chain(images.ref(path)))).toMatchObject({ code: "IMAGE_REFUSED", details: { path } });
    expect(await refusalOf(images.growDisk(path, 1 << 30))).toMatchObject({ code: "IMAGE_REFUSED" });
    const allowing = openImages({ imageDirectory: at, allowedChain: [at, other] });
    expect(await allowing.disk(path)).toMatchObject({ state: "ok", content: "blank", chain: [path, base] });
  });

  test("finds through an overlay what its backing file holds, and sees that change", async () => {
    const at = directory();
    const base = makeQcow2(join(at, "base.qcow2"));
    writeDisk(base, "qcow2", Buffer.alloc(65_536, 1));
    const path = join(at, "top.qcow2");
    qemuImg("create", "-q", "-f", "qcow2", "-b", "base.qcow2", "-F", "qcow2", path);
    const images = openImages({ imageDirectory: at, cache: { settleMs: -1e9 } });
    expect(await images.disk(path)).toMatchObject({ content: "data", bootsBios: false, chain: [path, base] });
    writeDisk(base, "qcow2", bootSector({ code: true }));
    expect(await images.disk(path)).toMatchObject({ bootsBios: true });
    writeFileSync(`${base}.moved`, "");
    const orphan = writeFile(join(at, "orphan.qcow2"), qcow2Header({ backing: "gone" }));
    expect(await images.disk(orphan)).toMatchObject({
      state: "ok",
      content: "unknown",
      backingMissing: join(at, "gone"),
    });
  });

  test("sees corruption: by the image's own mark always, by its tables when asked", async () => {
    const at = directory();
    const images = openImages({ imageDirectory: at });
    const marked = makeQcow2(join(at, "marked.qcow2"));
    writeDisk(marked, "raw", Buffer.from([0, 0, 0, 0, 0, 0, 0, 2]), 72);
    expect(await images.disk(marked)).toMatchObject({ corrupt: true });
    const broken = makeQcow2(join(at, "broken.qcow2"));
    writeDisk(broken, "qcow2", Buffer.alloc(65_536, 7));
    writeDisk(broken, "raw", Buffer.alloc(65_536), 131_072);
    expect((await images.disk(broken)).corrupt).toBeUndefined();
    expect(await images.disk(broken, { check: true })).toMatchObject({ corrupt: true });
    const sound = makeQcow2(join(at, "sound.qcow2"));
    expect(await images.disk(sound, { check: true })).toMatchObject({ corrupt: false });
    const malformed = writeFile(join(at, "malformed.qcow2"), qcow2Header({ version: 7 }));
    expect(await images.disk(malformed)).toMatchObject({ state: "unreadable", corrupt: true });
  });

  test("takes preallocated disks for blank where it can prove it, and for unknown where it cannot", async () => {
    const at = directory();
    const images = openImages({ imageDirectory: at });
    for (const [preallocation, content] of [
      ["metadata", "blank"],
      ["falloc", "unknown"],
      ["full", "unknown"],
    ]) {
      const path = makeQcow2(join(at, `${preallocation}`), "8M", "-o", `preallocation=${preallocation}`);
      expect(await images.disk(path)).toMatchObject({ content, bootsBios: false });
    }
    const small = makeQcow2(join(at, "small"), "1M", "-o", "preallocation=full");
    expect(await images.disk(small)).toMatchObject({ content: "blank" });
  });

  test("asks qemu-img once for a settled disk, however often it is looked at", async () => {
    const { at, path } = makeDisk("qcow2");
    const log = join(at, "log");
    const program = writeFile(join(at, "counting"), `#!/bin/sh\necho "$1" >> ${log}\nexec qemu-img "$@"\n`);
    chmodSync(program, 0o755);
    const images = openImages({ imageDirectory: at, qemuImg: { program }, cache: { settleMs: -1e9 } });
    await Promise.all([images.disk(path), images.disk(path)]);
    await images.disk(path);
    expect(readFileSync(log, "utf8").split("\n").filter(Boolean)).toEqual(["dd", "map"]);
    utimesSync(path, new Date(), new Date());
    await images.disk(path);
    expect(readFileSync(log, "utf8").split("\n").filter(Boolean)).toHaveLength(4);
  });

  test("leaves content unknown without qemu-img", async () => {
    const { at, path } = makeDisk("qcow2");
    const images = openImages({ imageDirectory: at, qemuImg: { program: "no-qemu-img" } });
    expect(await images.disk(path)).toMatchObject({
      state: "ok",
      format: "qcow2",
      virtualBytes: SIZE,
      content: "unknown",
    });
  });
});
