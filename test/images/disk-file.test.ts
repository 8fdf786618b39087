import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { openImages } from "../../src/images/images.ts";
import { directory, makeQcow2, qemuImg, refusalOf, writeFile } from "./fixture.ts";

const GIB = 1 << 30;

function opened() {
  const at = directory();
  return { at, images: openImages({ imageDirectory: at }) };
}

describe("createDisk()", () => {
  test("makes an empty sparse qcow2 of version 3 and mode 0600", async () => {
    const { at, images } = opened();
    const path = images.pathFor("8c5e1ab4-23a8-4b6a-9a6e-0b6f1f6b7d11", "qcow2");
    expect(path).toBe(join(at, "8c5e1ab4-23a8-4b6a-9a6e-0b6f1f6b7d11.qcow2"));
    await images.createDisk(path, 20 * GIB);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(await images.disk(path, { check: true })).toMatchObject({
      content: "blank",
      virtualBytes: 20 * GIB,
      corrupt: false,
    });
    expect(qemuImg("info", path)).toMatch(/compat: 1.1[\s\S]*lazy refcounts: false/);
    expect(statSync(path).blocks * 512).toBeLessThan(1 << 20);
  });

  test("refuses any path that exists, a dangling link included, and leaves it as it was", async () => {
    const { at, images } = opened();
    const path = writeFile(join(at, "taken.qcow2"), "precious");
    symlinkSync("/tmp/bootwright-no-such-target", join(at, "link.qcow2"));
    for (const name of ["taken.qcow2", "link.qcow2"]) {
      expect((await refusalOf(images.createDisk(join(at, name), GIB))).code).toBe("DISK_EXISTS");
    }
    expect(readFileSync(path, "utf8")).toBe("precious");
    expect(existsSync("/tmp/bootwright-no-such-target")).toBe(false);
  });

  test("refuses a path outside the image directory, and one in a directory that is not there", async () => {
    const { at, images } = opened();
    for (const path of ["/tmp/x.qcow2", "x.qcow2", join(at, "nowhere", "x.qcow2"), `${at}/../x.qcow2`]) {
      expect((await refusalOf(images.createDisk(path, GIB))).code).toBe("PATH_OUTSIDE_IMAGES");
    }
  });

  test("refuses what the file system could never hold, but not what is merely not free", async () => {
    const { at, images } = opened();
    const { totalBytes, freeBytes } = await images.space();
    const path = join(at, "x.qcow2");
    const neededBytes = (Math.floor(totalBytes / GIB) + 1) * GIB;
    const refusal = await refusalOf(images.createDisk(path, neededBytes));
    expect(refusal).toMatchObject({ code: "HOST_SPACE_LACKING", details: { path, neededBytes } });
    expect(existsSync(path)).toBe(false);
    await images.createDisk(path, (Math.floor((freeBytes + totalBytes) / 2 / GIB) || 1) * GIB);
  });

  test("leaves nothing behind when qemu-img fails, is missing, or is aborted", async () => {
    const { at } = opened();
    const path = join(at, "x.qcow2");
    const missing = openImages({ imageDirectory: at, qemuImg: { program: "no-qemu-img" } });
    expect((await refusalOf(missing.createDisk(path, GIB))).code).toBe("IMAGE_TOOL_FAILED");
    expect(existsSync(path)).toBe(false);
    const program = writeFile(join(at, "slow"), "#!/bin/sh\nexec sleep 10\n");
    chmodSync(program, 0o755);
    const slow = openImages({ imageDirectory: at, qemuImg: { program } });
    await expect(slow.createDisk(path, GIB, AbortSignal.timeout(100))).rejects.toMatchObject({ name: "TimeoutError" });
    expect(existsSync(path)).toBe(false);
  });

  test.each([0, -512, 513, 1.5, Number.NaN, 2 ** 60])("takes a size of %d bytes for a defect", async (size) => {
    const { at, images } = opened();
    await expect(images.createDisk(join(at, "x"), size)).rejects.toThrow(RangeError);
  });
});

describe("growDisk()", () => {
  test("grows, leaves a disk of that size alone, and never shrinks", async () => {
    const { at, images } = opened();
    const path = makeQcow2(join(at, "disk.qcow2"), "1G");
    await images.growDisk(path, 2 * GIB);
    await images.growDisk(path, 2 * GIB);
    expect(await refusalOf(images.growDisk(path, GIB))).toMatchObject({
      code: "IMAGE_REFUSED",
      details: { reason: expect.stringMatching(/never made smaller/) },
    });
    expect(await images.disk(path)).toMatchObject({ virtualBytes: 2 * GIB });
  });

  test("refuses what is missing, no file, of another format, or too large for the host", async () => {
    const { at, images } = opened();
    const vmdk = writeFile(join(at, "x.vmdk"), "KDMV");
    for (const path of [join(at, "gone"), at, vmdk, "relative"]) {
      expect((await refusalOf(images.growDisk(path, GIB))).code).toBe("IMAGE_REFUSED");
    }
    const { totalBytes } = await images.space();
    const path = makeQcow2(join(at, "disk.qcow2"));
    const tooMuch = (Math.floor(totalBytes / GIB) + 1) * GIB;
    expect((await refusalOf(images.growDisk(path, tooMuch))).code).toBe("HOST_SPACE_LACKING");
  });
});

describe("remove()", () => {
  test("removes a file, of a link the link, and does not mind a missing one", async () => {
    const { at, images } = opened();
    const path = writeFile(join(at, "disk.qcow2"));
    const outer = writeFile(join(directory(), "precious"));
    symlinkSync(outer, join(at, "link"));
    await images.remove(path);
    await images.remove(path);
    await images.remove(join(at, "nowhere", "x"));
    await images.remove(join(at, "link"));
    expect([existsSync(path), existsSync(join(at, "link")), existsSync(outer)]).toEqual([false, false, true]);
  });

  test("removes nothing outside and no directory", async () => {
    const { at, images } = opened();
    const outer = writeFile(join(directory(), "precious"));
    mkdirSync(join(at, "sub"));
    symlinkSync(join(outer, ".."), join(at, "out"));
    for (const path of [outer, join(at, "out", "precious"), at, `${at}/sub/..`, `${at}/`]) {
      expect((await refusalOf(images.remove(path))).code).toBe("PATH_OUTSIDE_IMAGES");
    }
    expect((await refusalOf(images.remove(join(at, "sub")))).code).toBe("IMAGE_REFUSED");
    expect([existsSync(outer), existsSync(join(at, "sub"))]).toEqual([true, true]);
  });
});
