// Goal: a host's file system that fills up is told of before a guest's write fails, and at once where it is full already.
// Method: a guest that writes through its disk, whose image lies on a file system of 16 MiB. What it cannot see: file
// systems that several guests share.

import { execFileSync } from "node:child_process";
import { mkdir, readFile, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { type Watcher, watcherOf } from "../../support/watcher.ts";
import { type Harness, harnessOn, start } from "../contract-harness.ts";
import { writingSector } from "../libvirt/client/tcg-guest.ts";
import { openQemuHarness, type QemuHarness } from "./harness.ts";

const { isos } = inject("guests");
const MIB = 1024 ** 2;
let testbed: QemuHarness;
let harness: Harness;
let clear: () => Promise<void>;
let watcher: Watcher;
const mounted = () => join(testbed.directory, "full");
const diskOf = (word: string) => join(mounted(), `${word}.raw`);

describe.skipIf(process.getuid?.() !== 0)("a file system that fills up", () => {
  beforeAll(async () => {
    testbed = await openQemuHarness([isos.both, isos.data]);
    ({ harness, clear } = harnessOn({
      backend: testbed.backend,
      isos: { bootable: testbed.iso(isos.both), data: testbed.iso(isos.data) },
      spec: { acceleration: "tcg", memoryBytes: 64 * MIB, order: "hd" },
      close: testbed.close,
    }));
    await mkdir(mounted());
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=16m", "tmpfs", mounted()]);
    for (const disk of ["fills", "late"].map(diskOf)) {
      await writeFile(disk, writingSector());
      await truncate(disk, 64 * MIB);
    }
    watcher = await watcherOf(testbed.backend);
  });
  afterAll(async () => {
    await watcher?.stop();
    await clear?.();
    execFileSync("umount", ["-l", mounted()]);
    await testbed?.close();
  });

  /** Starts a guest whose disk lies there. */
  async function begin(word: string) {
    const { target, vm } = await harness.make();
    const { definition } = testbed.session.pathsOf(target.uuid);
    const text = await readFile(definition, "utf8");
    await writeFile(definition, text.replace('"qcow2"', '"raw"').replace(vm!.next.disks[0]!.path!, diskOf(word)));
    const after = watcher.hints.length;
    const { run } = (await harness.apply(await harness.look(target.uuid), start)).vm!;
    const occurrences = () =>
      watcher.hints.slice(after).flatMap((hint) => (hint.uuid === target.uuid && hint.occurrence) || []);
    const until = (type: string) =>
      watcher.waitForHint(({ uuid, occurrence }) => uuid === target.uuid && occurrence?.type === type, after, 120_000);
    return { run, occurrences, until };
  }

  test("is told of before a write fails, and then that it failed, on which disk", { timeout: 180_000 }, async () => {
    const { run, occurrences, until } = await begin("fills");
    await until("io_error");
    const low = occurrences().flatMap((one) => (one.type === "space_low" ? one.freeBytes : []));
    expect(occurrences()[0]).toEqual({ type: "space_low", run, target: "vda", freeBytes: low[0] });
    expect(low[0]).toBeGreaterThan(0);
    expect(low[0]).toBeLessThanOrEqual(4 * MIB);
    expect([...low].sort((a, b) => b - a)).toEqual(low);
    expect(occurrences()).toContainEqual({ type: "io_error", run, target: "vda", reason: "enospc" });
  });

  test("is told of at once at a start, and to whoever watches from then on", async () => {
    const { run, until } = await begin("late");
    const low = { type: "space_low", run, target: "vda" };
    expect((await until("space_low")).occurrence).toMatchObject(low);
    const another = await watcherOf(testbed.backend);
    const hint = await another.waitForHint(({ occurrence }) => occurrence?.run === run);
    expect(hint.occurrence).toMatchObject(low);
    await another.stop();
  });
});
