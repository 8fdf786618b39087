// Goal: what a killed server had begun on a file does not go on behind the back of the one that settles it. Method: a
// qemu-img that hangs as storage does, a server killed meanwhile, and a look once qemu-img would have been done. What it
// cannot see: a qemu-img that the kernel itself keeps from dying.

import { existsSync } from "node:fs";
import { chmod, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { execa } from "execa";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { openClient } from "../support/client.ts";
import { openTestbed, SYSTEM, type Testbed } from "../support/vm.ts";
import { disagreements, lookAtAll, type Place } from "./agreement.ts";
import { killProcess, openServer, settingsFor } from "./kills-process.ts";

const HANGS_S = 6;
let testbed: Testbed;
let place: Place;
let started: string;
beforeAll(async () => {
  testbed = await openTestbed();
  place = {
    data: join(testbed.directory, "data"),
    images: join(testbed.directory, "images"),
    uri: SYSTEM,
    prefix: testbed.name("kill-"),
  };
  started = join(testbed.directory, "started");
  // Only the server under test is to settle what was left.
  await testbed.server.close();
  const { stdout: real } = await execa("which", ["qemu-img"]);
  const slow = join(testbed.directory, "bin/qemu-img");
  await mkdir(join(testbed.directory, "bin"));
  await writeFile(
    slow,
    `#!/bin/sh\ncase "$1" in create|resize) echo $$ > ${started}; sleep ${HANGS_S};; esac\nexec ${real} "$@"\n`,
  );
  await chmod(slow, 0o755);
});
afterAll(() => testbed?.close());

test.each([
  ["the disk of a VM that is being created", "create_vm"],
  ["a disk that is being grown", "resize_disk"],
] as const)("%s stays as it was found when the server is killed", async (_what, tool) => {
  const scene = { place, directory: testbed.directory, isoDirectory: join(testbed.directory, "isos") };
  const name = `kill-${tool.replace("_", "-")}`;
  const small = { memory_mb: 64, disk_size_gb: 1, cpus: 1, network: "none", acceleration: "tcg" };
  const args = { vm: testbed.name(name), size_gb: 2 };
  const creation = { ...small, name: testbed.name(name) };
  if (tool === "resize_disk") {
    const maker = await openServer(scene);
    await maker.call("create_vm", creation);
    await maker.close();
  }
  await rm(started, { force: true });
  const doomed = await openClient({
    settings: settingsFor(place, join(testbed.directory, "isos")),
    env: { PATH: `${join(testbed.directory, "bin")}:${process.env.PATH}` },
  });
  onTestFinished(() => doomed.close());
  doomed.call(tool, tool === "create_vm" ? creation : args).catch(() => undefined);
  await expect.poll(() => existsSync(started)).toBe(true);
  killProcess(doomed.pid());

  const fresh = await openServer(scene);
  onTestFinished(() => fresh.close());
  await expect.poll(() => fresh.stderr()).toMatch(/left by a process that ended: rolled_back/);
  const child = Number(await readFile(started, "utf8"));
  await expect.poll(() => existsSync(`/proc/${child}`), { timeout: 60_000 }).toBe(false);
  // A file that qemu-img was still to write would be there by now; that none comes shows in time alone.
  await wait(200);
  expect(disagreements(await lookAtAll(place), place, { living: 1 })).toEqual([]);
});
