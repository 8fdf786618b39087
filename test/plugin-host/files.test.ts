import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, it } from "vitest";
import { overlap, ownFilesOf } from "../../src/plugin-host/files.ts";
import { temporaryDirectory } from "../support/memory.ts";

const url = (path: string) => pathToFileURL(path).href;
function packageAt(directory: string): string {
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, "package.json"), "{}");
  return directory;
}

describe("ownFilesOf()", () => {
  it("is a plugin's package, or the folder that it lies in", () => {
    const root = temporaryDirectory();
    expect(ownFilesOf(url(join(root, "a/b.ts")))).toEqual([join(root, "a")]);
    expect(ownFilesOf(url(join(packageAt(join(root, "p")), "src/b.ts")))).toEqual([join(root, "p")]);
  });

  it("is everything that is installed beside one that is installed", () => {
    expect(ownFilesOf("file:///x/node_modules/@a/b/index.js")).toEqual(["/x/node_modules"]);
  });

  it("is also what links lead to: its own, and those among what is installed", () => {
    const root = temporaryDirectory();
    const [own, elsewhere] = [packageAt(join(root, "p")), join(root, "store/node_modules")];
    packageAt(join(elsewhere, "@a/b"));
    mkdirSync(join(own, "node_modules/@a"), { recursive: true });
    symlinkSync(join(elsewhere, "@a/b"), join(own, "node_modules/@a/b"));
    expect(ownFilesOf(url(join(own, "a.ts")))).toEqual([own, elsewhere]);
    symlinkSync(own, join(root, "q"));
    expect(ownFilesOf(url(join(root, "q/a.ts")))).toEqual([join(root, "q"), own, elsewhere]);
    expect(ownFilesOf(url(join(own, "a.ts")), join(root, "store"))).toEqual([own]);
  });

  it("is nothing for one that comes over the network", () => {
    expect(ownFilesOf("https://example.org/a.ts")).toEqual([]);
  });

  it("never has in it what Bootwright keeps", () => {
    const home = packageAt(temporaryDirectory());
    const path = join(home, "plugins/hello.ts");
    expect(ownFilesOf(url(path), join(home, "state"))).toEqual([join(home, "plugins")]);
    expect(ownFilesOf(url(path), join(home, "plugins/state"))).toEqual([path]);
  });
});

describe("overlap()", () => {
  it("is seen through symbolic links, and for what is not there yet", () => {
    const root = temporaryDirectory();
    mkdirSync(join(root, "data"));
    symlinkSync(join(root, "data"), join(root, "link"));
    expect(overlap(join(root, "link/x/y"), join(root, "data"))).toBe(true);
    expect(overlap(root, join(root, "data"))).toBe(true);
    expect(overlap("/", join(root, "none"))).toBe(true);
    expect(overlap(join(root, "data2"), join(root, "data"))).toBe(false);
  });
});
