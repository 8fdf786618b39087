import { symlinkSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { isBelow, pathInside, realDirectories } from "../../src/images/path-containment.ts";
import { directory, refusalOf, writeFile } from "./fixture.ts";

test("isBelow() is not fooled by a common prefix, nor by the directory itself", () => {
  expect(isBelow("/images/a", "/images")).toBe(true);
  expect(isBelow("/images2/a", "/images")).toBe(false);
  expect(isBelow("/images", "/images")).toBe(false);
  expect(isBelow("/a", "/")).toBe(true);
});

test("realDirectories() leaves out those that do not exist, and doubles", async () => {
  const at = directory();
  symlinkSync(at, join(at, "link"));
  expect(await realDirectories([at, join(at, "gone"), join(at, "link")])).toEqual([at]);
});

describe("placeInside()", () => {
  test("gives the real place of a file that need not exist", async () => {
    const at = directory();
    writeFile(join(at, "sub", "x"));
    symlinkSync(join(at, "sub"), join(at, "link"));
    expect(await pathInside(join(at, "new"), at)).toBe(join(at, "new"));
    expect(await pathInside(join(at, "link", "new"), at)).toBe(join(at, "sub", "new"));
    expect(await pathInside(join(at, "nowhere", "new"), at)).toBeUndefined();
  });

  test.each([
    "/etc/new",
    "relative",
    "",
    "AT",
    "AT/",
    "AT/.",
    "AT/..",
    "AT/../new",
    "AT/sub/../new",
    "AT/out/new",
    "AT/a\0b",
    "AT/\ud800",
    "/nowhere/new",
  ])("refuses %j with PATH_OUTSIDE_IMAGES", async (path) => {
    const at = directory();
    writeFile(join(at, "sub", "x"));
    symlinkSync("/tmp", join(at, "out"));
    const refusal = await refusalOf(pathInside(path.replace("AT", at), at));
    expect(refusal).toMatchObject({ code: "PATH_OUTSIDE_IMAGES", details: { directory: at } });
  });
});
