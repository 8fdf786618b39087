import { join } from "node:path";
import { expect, test } from "vitest";
import { openImages } from "../../src/images/images.ts";
import { bytesRead, directory, makeIso, makeQcow2, refusalOf } from "./fixture.ts";

test("openImages() takes the image directory for the ISO library unless told otherwise", async () => {
  const at = directory();
  makeIso(join(at, "a.iso"), "bios");
  const images = openImages({ imageDirectory: `${at}/` });
  expect(images).toMatchObject({ imageDirectory: at, isoDirectories: [at] });
  expect(await images.resolveIso("a.iso")).toBe(join(at, "a.iso"));
  const elsewhere = openImages({ imageDirectory: at, isoDirectories: ["/nowhere"] });
  expect((await refusalOf(elsewhere.resolveIso(join(at, "a.iso")))).code).toBe("ISO_OUTSIDE_LIBRARY");
  expect(await elsewhere.isos()).toEqual([]);
});

test.each([
  ["../../etc/passwd", "x"],
  ["8c5e1ab4-23a8-4b6a-9a6e-0b6f1f6b7d11", "../x"],
  ["8c5e1ab4-23a8-4b6a-9a6e-0b6f1f6b7d11", ""],
  ["8c5e1ab4-23a8-4b6a-9a6e-0b6f1f6b7d11", "a/b"],
])("pathFor() refuses %j with extension %j", (uuid, extension) => {
  expect(() => openImages({ imageDirectory: "/images" }).pathFor(uuid, extension)).toThrow(/outside/);
});

test("chain() gives a missing image's own path", async () => {
  const at = directory();
  const images = openImages({ imageDirectory: at });
  const ref = images.ref(join(at, "gone"));
  expect(await images.chain(ref)).toEqual([{ ref, identity: await images.identify(ref) }]);
});

test("space() answers for a path that does not exist yet", async () => {
  const at = directory();
  const images = openImages({ imageDirectory: at });
  const { freeBytes, totalBytes } = await images.space(join(at, "not", "there"));
  expect(freeBytes).toBeGreaterThan(0);
  expect(totalBytes).toBeGreaterThan(freeBytes);
});

test("chain() reads little of an image", async () => {
  const at = directory();
  const path = makeQcow2(join(at, "disk.qcow2"));
  const images = openImages({ imageDirectory: at });
  const before = bytesRead();
  await Promise.all(Array.from({ length: 1_000 }, () => images.chain(images.ref(path))));
  expect(bytesRead() - before).toBeLessThan(1_000 * 131_072);
});
