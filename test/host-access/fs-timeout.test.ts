// @module-tag process
// Goal: a file that never answers costs a call its time limit and no more. Method: a file system of the test's own, mounted
// through /dev/fuse, whose files do not answer; a real server process looks at them. What cannot be seen: a mount that
// does not answer to a plain look at its directory either is the same to the server, but cannot be unmounted cleanly here.

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, test, vi } from "vitest";
import { createFsTimeout } from "../../src/host-access/fs-timeout.ts";
import { openImages } from "../../src/images/images.ts";
import { directory, makeIso } from "../images/fixture.ts";

vi.setConfig({ testTimeout: 120_000 });

describe("createPatience()", () => {
  const never = () => new Promise<never>(() => {});

  test("gives what the call gives, and throws what it throws", async () => {
    const patiently = createFsTimeout();
    expect(await patiently(async () => 7)).toBe(7);
    await expect(patiently(async () => Promise.reject(new Error("broken")))).rejects.toThrow("broken");
  });

  test("stops waiting at its limit, and at once when every thread is held", async () => {
    const patiently = createFsTimeout({ limitMs: 50, parallel: 2 });
    const calls = [patiently(never), patiently(never), patiently(async () => "waits its turn")];
    for (const one of await Promise.allSettled(calls)) expect(one).toMatchObject({ reason: { code: "ETIMEDOUT" } });
    let called = false;
    await expect(patiently(async () => (called = true))).rejects.toMatchObject({ code: "ETIMEDOUT" });
    expect(called).toBe(false);
  });

  test("works again once a call that was given up has ended, and hands its late result to be dropped", async () => {
    const patiently = createFsTimeout({ limitMs: 20, parallel: 1 });
    const slow = Promise.withResolvers<string>();
    const dropped: string[] = [];
    await expect(
      patiently(
        () => slow.promise,
        (result) => dropped.push(result),
      ),
    ).rejects.toMatchObject({ code: "ETIMEDOUT" });
    slow.resolve("late");
    await slow.promise;
    expect(await patiently(async () => "again")).toBe("again");
    expect(dropped).toEqual(["late"]);
  });
});

const canMount = process.getuid?.() === 0 && existsSync("/dev/fuse");

describe.skipIf(!canMount)("Files that never answer", () => {
  const script = fileURLToPath(new URL("../images/silent-fs.ts", import.meta.url));
  let child: ChildProcess | undefined;
  let at: string;
  afterEach(async () => {
    const ended = new Promise((resolve) => child?.once("exit", resolve));
    // With its process the file system ends, and everything that waits for it.
    child?.kill("SIGKILL");
    await ended;
    spawnSync("umount", ["-l", at]);
  });

  test("are unreadable after a while, and leave the rest of the library and of the process at work", async () => {
    const library = directory();
    at = join(library, "mount");
    mkdirSync(at);
    makeIso(join(library, "good.iso"), "both", "GOOD");
    child = spawn(process.execPath, [script, at], { stdio: ["ignore", "pipe", "inherit"] });
    await new Promise((resolve) => child?.stdout?.once("data", resolve));
    const images = openImages({ imageDirectory: library });
    const [opening, disk, good] = await Promise.all([
      images.iso(join(at, "open.iso")),
      images.disk(join(at, "disk.qcow2")),
      images.iso(join(library, "good.iso")),
    ]);
    expect(opening).toMatchObject({ state: "unreadable", blockedAt: join(at, "open.iso") });
    expect(disk).toMatchObject({ state: "unreadable", content: "unknown" });
    expect(good).toMatchObject({ state: "ok", volumeLabel: "GOOD" });
    const reading = await images.iso(join(at, "read.iso"));
    expect(reading).toMatchObject({ state: "unreadable", blockedAt: join(at, "read.iso") });
    // Whatever is asked of images now is answered, and files are still to be had by everybody else.
    await expect(images.isos()).rejects.toMatchObject({ code: "IMAGE_TOOL_FAILED" });
    expect(await images.disk(join(library, "good.iso"))).toMatchObject({ state: "unreadable" });
    await expect(images.chain(images.ref(join(at, "disk.qcow2")))).rejects.toMatchObject({ code: "IMAGE_REFUSED" });
    const { readFile } = await import("node:fs/promises");
    expect((await readFile(join(library, "good.iso"))).length).toBeGreaterThan(100_000);
  });
});
