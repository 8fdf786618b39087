// @module-tag process
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  mkdirSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { IsoFact } from "../../src/domain/model/image-fact.ts";
import { openImages } from "../../src/images/images.ts";
import { bytesRead, directory, makeIso, writeFile } from "./fixture.ts";

const reader = { uid: 64_055 };

function library() {
  const at = directory();
  makeIso(join(at, "good.iso"), "both", "GOOD");
  writeFile(join(at, "empty.iso"), "");
  writeFile(join(at, "text.iso"), "text".repeat(20_000));
  mkdirSync(join(at, "directory.iso"));
  execFileSync("mkfifo", [join(at, "pipe.iso")]);
  symlinkSync(join(at, "loop.iso"), join(at, "loop.iso"));
  writeFile(join(at, "closed", "text.iso"), "text");
  makeIso(join(at, "closed", "good.iso"), "bios", "CLOSED");
  chmodSync(join(at, "closed"), 0o700);
  return at;
}

describe("iso()", () => {
  const no = { bootsBios: false, bootsUefi: false };
  const table: [path: string, fact: Partial<IsoFact>][] = [
    ["AT/good.iso", { state: "ok", volumeLabel: "GOOD", bootsBios: true, bootsUefi: true }],
    ["AT/gone.iso", { state: "missing", ...no }],
    ["AT/good.iso/inside", { state: "missing", ...no }],
    ["AT/loop.iso", { state: "missing", ...no }],
    ["AT/a\0b.iso", { state: "missing", ...no }],
    ["relative.iso", { state: "missing", ...no }],
    [`AT/${"x".repeat(300)}`, { state: "missing", ...no }],
    ["AT/directory.iso", { state: "not_a_file", ...no }],
    ["AT/pipe.iso", { state: "not_a_file", ...no }],
    ["/dev/null", { state: "not_a_file", ...no }],
    ["AT/empty.iso", { state: "empty", sizeBytes: 0, ...no }],
    ["AT/text.iso", { state: "not_iso", sizeBytes: 80_000, ...no }],
    ["AT/closed/good.iso", { state: "unreadable", blockedAt: "AT/closed", volumeLabel: "CLOSED", bootsBios: true }],
    ["AT/closed/text.iso", { state: "unreadable", blockedAt: "AT/closed", ...no }],
  ];
  test.each(table)("says what %s is", async (path, fact) => {
    const at = library();
    const images = openImages({ imageDirectory: at, reader });
    const expected = { ...fact, ...(fact.blockedAt && { blockedAt: fact.blockedAt.replace("AT", at) }) };
    const found = await images.iso(path.replace("AT", at));
    expect(found).toMatchObject(expected);
    expect(found.path).toBe(path.replace("AT", at));
  });

  test("says that the volume in it is larger than the file, as of one that is still being copied", async () => {
    const at = library();
    const images = openImages({ imageDirectory: at, reader });
    expect(await images.iso(join(at, "good.iso"))).not.toHaveProperty("truncated");
    truncateSync(join(at, "good.iso"), statSync(join(at, "good.iso")).size - 2048);
    expect(await images.iso(join(at, "good.iso"))).toMatchObject({ state: "ok", truncated: true, volumeLabel: "GOOD" });
  });

  test("looks from the link's side too: the hypervisor may be handed the link", async () => {
    const at = library();
    symlinkSync(join(at, "good.iso"), join(at, "closed", "link.iso"));
    const images = openImages({ imageDirectory: at, reader });
    expect(await images.iso(join(at, "closed", "link.iso"))).toMatchObject({
      state: "unreadable",
      blockedAt: join(at, "closed"),
    });
  });

  test("is unreadable for a file of mode 0600 only where nobody changes its owner", async () => {
    const at = library();
    const path = join(at, "good.iso");
    chmodSync(path, 0o600);
    expect(await openImages({ imageDirectory: at, reader }).iso(path)).toMatchObject({ state: "ok" });
    const strict = openImages({ imageDirectory: at, reader, ownFile: true });
    expect(await strict.iso(path)).toMatchObject({ state: "unreadable", blockedAt: path });
  });

  test.runIf(process.getuid?.() === 0)(
    "keeps its identity when libvirt chowns the file, and loses it when the file is rewritten or replaced",
    async () => {
      const at = library();
      const path = join(at, "good.iso");
      const images = openImages({ imageDirectory: at });
      const { identity } = await images.iso(path);
      chownSync(path, 64_055, 64_055);
      expect((await images.iso(path)).identity).toBe(identity);
      utimesSync(path, new Date(), new Date(Date.now() + 5_000));
      expect((await images.iso(path)).identity).not.toBe(identity);
    },
  );

  test("sees a rewrite of the same size, and one in place with its old time put back", async () => {
    const at = library();
    const path = join(at, "good.iso");
    const images = openImages({ imageDirectory: at, cache: { settleMs: -1e9 } });
    expect(await images.iso(path)).toMatchObject({ volumeLabel: "GOOD", bootsUefi: true });
    makeIso(path, "both", "EVIL");
    expect(await images.iso(path)).toMatchObject({ volumeLabel: "EVIL" });
    const old = new Date(1_700_000_000_000);
    utimesSync(path, old, old);
    expect(await images.iso(path)).toMatchObject({ volumeLabel: "EVIL" });
    const { sizeBytes = 0 } = await images.iso(path);
    writeFileSync(path, Buffer.alloc(sizeBytes));
    utimesSync(path, old, old);
    expect(await images.iso(path)).toMatchObject({ state: "not_iso", sizeBytes });
  });

  test("does not take a file of 1 TiB of nothing for anything, and reads little of it", async () => {
    const path = writeFile(join(directory(), "huge.iso"), "");
    truncateSync(path, 2 ** 40);
    const before = bytesRead();
    expect(await openImages({ imageDirectory: "/tmp" }).iso(path)).toMatchObject({
      state: "not_iso",
      sizeBytes: 2 ** 40,
    });
    expect(bytesRead() - before).toBeLessThan(2 ** 26);
  });

  test("throws an abort's reason, and that only", async () => {
    const signal = AbortSignal.abort(new Error("enough"));
    const images = openImages({ imageDirectory: "/tmp", signal });
    await expect(images.iso("/tmp/x.iso")).rejects.toThrow("enough");
    await expect(images.disk("/tmp/x", { signal })).rejects.toThrow("enough");
  });
});

describe("isos()", () => {
  test("lists the library, probed, sorted, without links that leave it", async () => {
    const at = library();
    symlinkSync("/etc/hostname", join(at, "evil.iso"));
    symlinkSync(join(at, "good.iso"), join(at, "zz.iso"));
    const found = await openImages({ imageDirectory: "/nowhere", isoDirectories: [at], reader }).isos();
    expect(found.map(({ path, state }) => [path.slice(at.length + 1), state])).toEqual([
      ["closed/good.iso", "unreadable"],
      ["closed/text.iso", "unreadable"],
      ["empty.iso", "empty"],
      ["good.iso", "ok"],
      ["text.iso", "not_iso"],
    ]);
  });
});
