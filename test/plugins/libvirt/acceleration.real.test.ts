// Goal: a VM is given KVM only where guests really run under it, and a host that hangs in the attempt hangs no create.
// Method: the probe on this host, whatever it is, against what libvirt does here by itself; a daemon that does not answer
// the probe's start is a proxy that holds the call back.

import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { probe } from "../../../plugins/libvirt/acceleration.ts";
import { PROCEDURE } from "../../../plugins/libvirt/client/procedure.ts";
import libvirt from "../../../plugins/libvirt/index.ts";
import { localHost } from "../../../src/host-access/local-host.ts";
import { openProxy } from "../../support/libvirt-proxy.ts";
import { openTestbed, refusalOf, SYSTEM, type Testbed } from "../../support/vm.ts";
import { pluginContext } from "../../support/world.ts";

const small = { memory_mb: 64, disk_size_gb: 1, cpus: 1, network: "none" };
const create = async (testbed: Testbed, word: string, acceleration: string) =>
  (await testbed.call("create_vm", { name: testbed.name(word), ...small, acceleration })).vm;
/** Nothing is known for good of a host whose guests neither run nor fail under KVM in the probe's time. */
const known = (testbed: Testbed): Promise<{ works?: boolean }> =>
  readFile(join(testbed.directory, "cache/bootwright/kvm-probe.json"), "utf8").then(JSON.parse, () => ({}));
const probes = async (testbed: Testbed) =>
  (await testbed.virsh("list", "--all", "--name")).split("\n").filter((name) => /probe/.test(name));

describe("KVM on this host", () => {
  let testbed: Testbed;
  beforeAll(async () => {
    testbed = await openTestbed();
  });
  afterAll(() => testbed?.close());

  test("auto takes it if a guest runs under it and emulates otherwise, and leaves nothing behind", async () => {
    const since = performance.now();
    const vm = await create(testbed, "auto", "auto");
    expect(performance.now() - since).toBeLessThan(20_000);
    expect(vm.accelerator).toBe((await known(testbed)).works ? "kvm" : "tcg");
    expect(await probes(testbed)).toEqual([]);
    const images = await readdir(join(testbed.directory, "images"));
    expect(images.filter((name) => /probe/.test(name))).toEqual([]);
    if (vm.accelerator === "tcg") expect(await testbed.virsh("dumpxml", vm.name)).toContain("<domain type='qemu'>");
  });

  test("is probed once, and remembered", async ({ skip }) => {
    skip((await known(testbed)).works === undefined, "this host gave the probe no answer");
    const since = performance.now();
    await create(testbed, "again", "auto");
    expect(performance.now() - since).toBeLessThan(6_000);
  });

  test("kvm is refused with the reason where guests do not run under it, and nothing is made", async () => {
    const before = await readdir(join(testbed.directory, "images"));
    const asked = create(testbed, "kvm", "kvm");
    if ((await known(testbed)).works) return void expect((await asked).accelerator).toBe("kvm");
    expect(await refusalOf(asked)).toMatchObject({
      code: "BACKEND_FAILED",
      message: expect.stringMatching(/KVM on this host/),
      outcome: { status: "rolled_back" },
    });
    expect(await readdir(join(testbed.directory, "images"))).toEqual(before);
  });

  // Without KVM a host cannot show that the probe would see it: the guest's disk was once too small for SeaBIOS to read.
  test("the probe guest gives its sign of life where guests run", async () => {
    const images = join(testbed.directory, "images");
    const session = await libvirt.open({ uri: SYSTEM, images }, pluginContext("local"));
    try {
      expect(await probe({ ...session, host: localHost }, AbortSignal.timeout(60_000), "qemu")).toBe(true);
    } finally {
      await libvirt.close(session);
    }
  });

  test("tcg is taken without a probe guest", async () => {
    expect((await create(testbed, "tcg", "tcg")).accelerator).toBe("tcg");
  });
});

test("a probe that never comes back hangs no create: it is given up, and the VM is emulated", async () => {
  const path = join("/var/tmp", `bw-test-proxy-${process.pid}.sock`);
  let letGo = () => {};
  const held = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  const proxy = await openProxy(path, async ({ procedure }) => {
    if (procedure === PROCEDURE.DOMAIN_CREATE_XML) await held;
  });
  const testbed = await openTestbed({ settings: ["--connection", `local=libvirt,uri=${SYSTEM}?socket=${path}`] });
  try {
    const since = performance.now();
    const vm = await create(testbed, "hung", "auto");
    expect(performance.now() - since).toBeLessThan(30_000);
    expect(vm.accelerator).toBe("tcg");
    const images = await readdir(join(testbed.directory, "images"));
    expect(images.filter((name) => /probe/.test(name))).toEqual([]);
    expect(existsSync(join(testbed.directory, "cache/bootwright/kvm-probe.json"))).toBe(false);
    // The start that was held back happens after all, and its guest is ended.
    letGo();
    await expect.poll(() => probes(testbed)).toEqual([]);
  } finally {
    letGo();
    await testbed.close();
    await proxy.close();
  }
});
