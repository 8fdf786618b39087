// Goal: wherever a process is killed, the VM's definition, its disk, its media and the database agree once the next process
// has looked, and what is told is what happened. Method: real servers and commands on real libvirt, killed at random moments
// and at precise ones (the nth call to libvirt, seen by a proxy between them), several VMs at once; then a comparison from
// outside. What it cannot see: a host that loses its power, which ends libvirt and the disk's cache too.

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { makeDisk } from "../fixtures/boot-images.ts";
import { figure, scaled } from "../support/scale.ts";
import { openTestbed, SYSTEM, type Testbed } from "../support/vm.ts";
import { chanceFrom } from "./kills-chance.ts";
import { openServer } from "./kills-process.ts";
import { foreignDisk, foreignXml, type TestVm } from "./kills-requests.ts";
import { playRound, type Stage, type Tally } from "./kills-round.ts";

const { isos } = inject("guests");
const kills = scaled(300, 8);
const seed = Number(process.env.BOOTWRIGHT_SEED ?? Math.floor(Math.random() * 2 ** 31));
let testbed: Testbed;
let stage: Stage;

beforeAll(async () => {
  testbed = await openTestbed({ isos: [isos.both, isos.bios] });
  await testbed.server.close();
  const [images, isoDirectory] = [join(testbed.directory, "images"), join(testbed.directory, "isos")];
  const testVm = (word: string, more: Partial<TestVm> = {}): TestVm => ({
    name: testbed.name(`kill-${word}`),
    firmware: "bios",
    foreign: false,
    ...more,
  });
  const testVms = [
    testVm("a"),
    testVm("b"),
    testVm("c"),
    testVm("uefi", { firmware: "uefi" }),
    testVm("foreign-a", { foreign: true }),
    testVm("foreign-b", { foreign: true }),
  ];
  const library = [testbed.iso(isos.both), testbed.iso(isos.bios)];
  for (const one of testVms.filter(({ foreign }) => foreign))
    await makeDisk(foreignDisk(images, one), { format: "qcow2", sizeBytes: 1024 ** 3 });
  const tally: Tally = {
    kills: 0,
    recoveriesKilled: 0,
    ended: {},
    requests: {},
    unknownThenSettled: 0,
    operations: 0,
    disagreements: 0,
  };
  stage = {
    place: { data: join(testbed.directory, "data"), images, uri: SYSTEM, prefix: testbed.name("kill-") },
    directory: testbed.directory,
    isoDirectory,
    testVms,
    isos: library,
    chance: chanceFrom(seed),
    undoable: new Map(),
    tally,
    async define(one) {
      const path = join(testbed.directory, `${one.name}.xml`);
      await writeFile(path, foreignXml(images, one, library[0]!));
      await testbed.virsh("define", path);
    },
  };
  await prepare();
});
afterAll(() => testbed?.close());

/** VMs in several states, so that a short run meets more than beginnings. */
async function prepare(): Promise<void> {
  const server = await openServer(stage);
  const small = { memory_mb: 64, disk_size_gb: 1, cpus: 1, network: "none", acceleration: "tcg" };
  const made = stage.testVms.filter(({ foreign }) => !foreign).slice(0, -1);
  for (const { name } of made) await server.call("create_vm", { ...small, name, iso_path: stage.isos[0] });
  await server.call("start_vm", { vm: made[0]!.name });
  await server.call("complete_installation", { vm: made[1]!.name });
  await server.close();
}

test(`${kills} processes are killed at their work, and everything agrees after each`, {
  timeout: 3_600_000,
}, async () => {
  const { tally } = stage;
  try {
    while (tally.kills < kills) {
      const wrong = await playRound(stage);
      tally.disagreements += wrong.length;
      expect(wrong, `seed ${seed}, after ${tally.kills} kills`).toEqual([]);
    }
  } finally {
    figure("kills: seed", seed);
    figure("kills: processes killed", tally.kills);
    figure("kills: of them while they recovered", tally.recoveriesKilled);
    figure("kills: operations recorded", tally.operations);
    figure("kills: how they ended", JSON.stringify(tally.ended));
    figure("kills: unknown, then settled by one look", tally.unknownThenSettled);
    figure("kills: kinds", JSON.stringify(tally.requests));
    figure("kills: disagreements", tally.disagreements);
  }
});
