import { symlinkSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { findIso, listLibrary } from "../../src/images/library.ts";
import { directory, refusalOf, writeFile } from "./fixture.ts";

function library() {
  const at = directory();
  for (const name of [
    "debian-12.iso",
    "Fedora.ISO",
    "sub/deep/arch.iso",
    "sub/deep/deeper/too-deep.iso",
    ".hidden/x.iso",
    "notes.txt",
  ]) {
    writeFile(join(at, name));
  }
  symlinkSync(join(at, "debian-12.iso"), join(at, "stable.iso"));
  symlinkSync("/etc/hostname", join(at, "evil.iso"));
  symlinkSync(join(at, "gone"), join(at, "dangling.iso"));
  symlinkSync("/etc", join(at, "etc"));
  writeFile(join(at, "folder.iso", "inner.iso"));
  return at;
}

describe("listLibrary()", () => {
  test("lists ISOs two levels deep, sorted by path, and marks links that leave", async () => {
    const at = library();
    expect(await listLibrary([at])).toEqual([
      { name: "evil.iso", path: "/etc/hostname", outside: true },
      ...["Fedora.ISO", "debian-12.iso"].map((name) => ({ name, path: join(at, name), outside: false })),
      { name: "stable.iso", path: join(at, "debian-12.iso"), outside: false },
      { name: "inner.iso", path: join(at, "folder.iso", "inner.iso"), outside: false },
      { name: "arch.iso", path: join(at, "sub/deep/arch.iso"), outside: false },
    ]);
  });

  test("is empty for directories that do not exist, and lists a directory given twice once", async () => {
    const at = library();
    expect(await listLibrary(["/nowhere"])).toEqual([]);
    expect(await listLibrary([at, at, join(at, "sub")])).toHaveLength(7);
  });

  test("ends at 2,000 ISOs", async () => {
    const at = directory();
    for (let index = 0; index < 2_100; index += 1) writeFile(join(at, `${index}.iso`));
    expect(await listLibrary([at])).toHaveLength(2_000);
  });
});

describe("findIso()", () => {
  test("finds an ISO by name, by path, by relative path and through a link, and gives its real path", async () => {
    const at = library();
    const debian = join(at, "debian-12.iso");
    for (const given of ["debian-12.iso", debian, "stable.iso", join(at, "stable.iso"), `${at}/sub/../debian-12.iso`]) {
      expect(await findIso(given, [at])).toBe(debian);
    }
    expect(await findIso("sub/deep/arch.iso", [at])).toBe(join(at, "sub/deep/arch.iso"));
    expect(await findIso("arch.iso", [at])).toBe(join(at, "sub/deep/arch.iso"));
  });

  test.each([
    "/etc/hostname",
    "/nowhere/at-all.iso",
    "AT/../../etc/hostname",
    "AT/evil.iso",
    "evil.iso",
    "etc/hostname",
    "AT/etc/hostname",
    "../x.iso",
    "sub/../../x.iso",
    "/",
    "AT",
  ])("refuses %s with ISO_OUTSIDE_LIBRARY, whether or not it exists", async (given) => {
    const at = library();
    const refusal = await refusalOf(findIso(given.replace("AT", at), [at]));
    expect(refusal).toMatchObject({ code: "ISO_OUTSIDE_LIBRARY", details: { directories: [at] } });
  });

  test("refuses a path outside by its words alone, though a link there leads into the library", async () => {
    const [at, elsewhere] = [library(), directory()];
    symlinkSync(join(at, "debian-12.iso"), join(elsewhere, "debian-12.iso"));
    const refusal = await refusalOf(findIso(join(elsewhere, "debian-12.iso"), [at]));
    expect(refusal.code).toBe("ISO_OUTSIDE_LIBRARY");
    symlinkSync(at, join(elsewhere, "library"));
    const configured = join(elsewhere, "library");
    expect(await findIso(join(configured, "debian-12.iso"), [configured])).toBe(join(at, "debian-12.iso"));
  });

  test.each(["debain-12.iso", "debian", "AT/debain-12.iso", "sub/debain-12.iso"])(
    "answers %s with the nearest names first",
    async (given) => {
      const at = library();
      const refusal = await refusalOf(findIso(given.replace("AT", at), [at]));
      expect(refusal.code).toBe("ISO_NOT_FOUND");
      const known = "known" in refusal.details ? refusal.details.known : [];
      expect(known[0]).toBe("debian-12.iso");
      expect(known).not.toContain("evil.iso");
    },
  );

  test.each([
    "",
    ".",
    "..",
    "a\0b.iso",
    "/a\0b.iso",
    "\ud800.iso",
    "\ufffd.iso",
    "x".repeat(5_000),
    "dangling.iso",
    "notes.txt",
  ])("refuses %j with ISO_NOT_FOUND", async (given) => {
    expect((await refusalOf(findIso(given, [library()]))).code).toBe("ISO_NOT_FOUND");
  });

  test("answers an ambiguous name with every path", async () => {
    const [one, two] = [directory(), directory()];
    const paths = [writeFile(join(one, "same.iso")), writeFile(join(two, "same.iso"))].sort();
    const refusal = await refusalOf(findIso("same.iso", [one, two]));
    expect(refusal).toMatchObject({ code: "ISO_NOT_FOUND", details: { iso: "same.iso", known: paths } });
    expect(await findIso(paths[0]!, [one, two])).toBe(paths[0]);
  });

  test("knows at most 20 names", async () => {
    const at = directory();
    for (let index = 0; index < 50; index += 1) writeFile(join(at, `${index}.iso`));
    const refusal = await refusalOf(findIso("missing.iso", [at]));
    expect(refusal.details).toMatchObject({ known: expect.objectContaining({ length: 20 }) });
  });
});
