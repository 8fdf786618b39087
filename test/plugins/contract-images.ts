/** The images of a connection: what is named, what is refused, what is made. */
import { expect } from "vitest";
import { codeOf, creation, DISK_BYTES, type Harness, type Test } from "./contract-harness.ts";

const nameOf = (path: string) => path.slice(path.lastIndexOf("/") + 1);

function newPath({ backend, track }: Harness): string {
  const path = backend.images.pathFor(crypto.randomUUID(), "qcow2");
  track(path);
  return path;
}

async function newDisk(harness: Harness): Promise<string> {
  const path = newPath(harness);
  await harness.backend.images.createDisk(path, DISK_BYTES);
  return path;
}

export function imagesContract(test: Test): void {
  test("isos() is sorted by path and tells what boots", async ({ backend, isos }) => {
    const facts = await backend.images.isos();
    const paths = facts.map(({ path }) => path);
    expect(paths).toEqual([...paths].sort((a, b) => (a < b ? -1 : 1)));
    expect(facts.find(({ path }) => path === isos.bootable)).toMatchObject({ state: "ok", bootsBios: true });
    expect(facts.find(({ path }) => path === isos.data)).toMatchObject({
      state: "ok",
      bootsBios: false,
      bootsUefi: false,
    });
  });
  test("iso() says what isos() says, and never throws for what is not there", async ({ backend, isos }) => {
    const listed = (await backend.images.isos()).find(({ path }) => path === isos.bootable);
    expect(await backend.images.iso(isos.bootable)).toEqual(listed);
    expect(await backend.images.iso(`${isos.bootable}-not.iso`)).toMatchObject({
      state: "missing",
      bootsBios: false,
      bootsUefi: false,
    });
  });
  test("resolveIso() takes a path and a name", async ({ backend, isos }) => {
    expect(await backend.images.resolveIso(isos.bootable)).toBe(isos.bootable);
    expect(await backend.images.resolveIso(nameOf(isos.bootable))).toBe(isos.bootable);
  });
  test("resolveIso() refuses a name that is not there with ISO_NOT_FOUND and the names that are", async ({
    backend,
    isos,
  }) => {
    const refused = await backend.images.resolveIso("not-there.iso").catch((error: unknown) => error);
    expect(refused).toMatchObject({
      code: "ISO_NOT_FOUND",
      details: { known: expect.arrayContaining([nameOf(isos.bootable)]) },
    });
  });
  test("resolveIso() refuses what lies outside the library with ISO_OUTSIDE_LIBRARY", async ({ backend, isos }) => {
    const directory = isos.bootable.slice(0, isos.bootable.lastIndexOf("/"));
    for (const path of ["/etc/passwd", "/no-such-directory/x.iso", "../x.iso", `${directory}/../../../../etc/passwd`]) {
      expect(await codeOf(backend.images.resolveIso(path)), path).toBe("ISO_OUTSIDE_LIBRARY");
    }
  });

  test("pathFor() is inside the image directory, or refused with PATH_OUTSIDE_IMAGES", async ({
    backend: { images },
  }) => {
    const uuid = crypto.randomUUID();
    expect(images.pathFor(uuid, "qcow2")).toBe(`${images.imageDirectory}/${uuid}.qcow2`);
    for (const [name, extension] of [
      ["../../etc/passwd", "qcow2"],
      [uuid, "../x"],
      [uuid, "a/b"],
    ] as const) {
      expect(() => images.pathFor(name, extension), `${name} ${extension}`).toThrow(
        expect.objectContaining({ code: "PATH_OUTSIDE_IMAGES" }),
      );
    }
  });
  test("createDisk() makes a blank qcow2 image of the size", async (harness) => {
    const path = await newDisk(harness);
    expect(await harness.backend.images.disk(path)).toMatchObject({
      path,
      state: "ok",
      format: "qcow2",
      virtualBytes: DISK_BYTES,
      content: "blank",
      chain: [path],
    });
  });
  test("createDisk() never overwrites: DISK_EXISTS", async (harness) => {
    const path = await newDisk(harness);
    const before = await harness.backend.images.disk(path);
    expect(await codeOf(harness.backend.images.createDisk(path, DISK_BYTES * 2))).toBe("DISK_EXISTS");
    expect(await harness.backend.images.disk(path)).toEqual(before);
  });
  test("createDisk() and remove() stay inside the image directory: PATH_OUTSIDE_IMAGES", async ({
    backend: { images },
  }) => {
    for (const path of ["/etc/bootwright-contract.qcow2", `${images.imageDirectory}/../bootwright-contract.qcow2`]) {
      expect(await codeOf(images.createDisk(path, DISK_BYTES)), path).toBe("PATH_OUTSIDE_IMAGES");
      expect(await codeOf(images.remove(path)), path).toBe("PATH_OUTSIDE_IMAGES");
    }
  });
  test("createDisk() refuses what can never fit with HOST_SPACE_LACKING", async (harness) => {
    const { totalBytes } = await harness.backend.images.space();
    expect(
      await codeOf(harness.backend.images.createDisk(newPath(harness), totalBytes * 2 - ((totalBytes * 2) % 512))),
    ).toBe("HOST_SPACE_LACKING");
  });
  test("growDisk() grows, leaves an equal size alone and refuses a smaller one with IMAGE_REFUSED", async (harness) => {
    const { images } = harness.backend;
    const path = await newDisk(harness);
    await images.growDisk(path, DISK_BYTES * 2);
    await images.growDisk(path, DISK_BYTES * 2);
    expect(await codeOf(images.growDisk(path, DISK_BYTES))).toBe("IMAGE_REFUSED");
    expect((await images.disk(path)).virtualBytes).toBe(DISK_BYTES * 2);
  });
  test("remove() removes, and a missing file is no error", async (harness) => {
    const { images } = harness.backend;
    const path = await newDisk(harness);
    await images.remove(path);
    await images.remove(path);
    expect(await images.disk(path)).toMatchObject({ path, state: "missing" });
  });
  test("chain() of an image that stands on nothing is the image", async (harness) => {
    const path = await newDisk(harness);
    const { images } = harness.backend;
    expect((await images.chain(images.ref(path))).map(({ ref }) => images.show(ref))).toEqual([path]);
  });
  test("identify() knows an image by whichever name leads to it, and no other image", async (harness) => {
    const { images } = harness.backend;
    const [path, another] = [await newDisk(harness), await newDisk(harness)];
    const [name = "", ...names] = await harness.otherNames!(path);
    harness.track(name);
    const image = await images.identify(images.ref(path));
    expect(names).not.toEqual([]);
    for (const other of [name, ...names]) {
      expect(await images.identify(images.ref(other)), other).toBe(image);
      expect((await images.disk(other)).image, other).toBe(image);
    }
    expect(await images.identify(images.ref(another))).not.toBe(image);
  });
  test("identify() knows a file that is not there by its place", async (harness) => {
    const { images } = harness.backend;
    const [path, another] = [newPath(harness), newPath(harness)];
    const image = await images.identify(images.ref(path));
    expect(await images.identify(images.ref(path))).toBe(image);
    expect((await images.disk(path)).image).toBe(image);
    expect(await images.identify(images.ref(another))).not.toBe(image);
  });
  test("imageIndex names the VM that has a disk under another name", async (harness) => {
    const { backend } = harness;
    const { images } = backend;
    const one = await harness.make();
    const path = one.vm!.next.disks[0]!.path!;
    const [diskPath = ""] = await harness.otherNames!(path);
    const spec = harness.newSpec({ diskPath });
    await harness.apply(await harness.look(spec.uuid), creation(spec));
    const image = await images.identify(images.ref(path));
    const query = { except: one.target.uuid };
    const { [image]: users } = await backend.imageIndex.usersOf(backend, [image], query);
    expect(users).toEqual({ inUseBy: [], clones: [], owners: [spec.name] });
  });
  test("space() says what is free and what there is", async ({ backend: { images } }) => {
    const { freeBytes, totalBytes } = await images.space();
    expect(totalBytes).toBeGreaterThan(0);
    expect(freeBytes).toBeGreaterThanOrEqual(0);
    expect(freeBytes).toBeLessThanOrEqual(totalBytes);
  });
  test("looking at images ends when it is aborted", async ({ backend, isos }) => {
    await expect(backend.images.iso(isos.bootable, AbortSignal.abort())).rejects.toThrow();
  });
}
