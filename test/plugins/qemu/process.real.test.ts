// Goal: a VM's process belongs to nobody: it outlives whoever started it, everybody finds it again, several at once, and
// none takes another process for it. Method: sessions that are opened and closed on one directory, and signals sent to
// QEMU behind their backs. What it cannot see: the end of the host.
// @module-tag long

import { execFileSync } from "node:child_process";
import { readFile, rm, writeFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { lastEvents } from "../../../plugins/qemu/event-log.ts";
import qemu from "../../../plugins/qemu/index.ts";
import { waitForLine } from "../../support/guest.ts";
import { watcherOf } from "../../support/watcher.ts";
import { medium } from "../contract-cases.ts";
import { codeOf, contextFor, type Harness, harnessOn, start } from "../contract-harness.ts";
import { openQemuHarness, type QemuHarness } from "./harness.ts";

const { isos } = inject("guests");
const cut = { kind: "power.stop", force: true, timeoutMs: 0 } as const;
let testbed: QemuHarness;
let harness: Harness;
let clear: () => Promise<void>;
beforeAll(async () => {
  testbed = await openQemuHarness([isos.both, isos.data, isos.resets]);
  ({ harness, clear } = harnessOn({
    backend: testbed.backend,
    isos: { bootable: testbed.iso(isos.both), data: testbed.iso(isos.data) },
    spec: { acceleration: "tcg", memoryBytes: 64 * 1024 ** 2 },
    close: testbed.close,
  }));
});
afterAll(async () => {
  await clear?.();
  await testbed?.close();
});

const pidOf = async (uuid: string) => Number(await readFile(testbed.session.pathsOf(uuid).pid, "utf8"));
const running = (pid: number) => execFileSync("ps", ["-o", "stat=", "-p", String(pid)], { encoding: "utf8" }).trim();
/** The processes that run this VM, whoever started them. */
const processesOf = (uuid: string) =>
  execFileSync("pgrep", ["-f", `qemu-system-x86_64 .*-uuid ${uuid}`], { encoding: "utf8" })
    .trim()
    .split("\n");

describe("a VM's process", () => {
  test("outlives the session that started it, and is found again by another", async () => {
    const { session, backend } = await testbed.another();
    const off = await harness.make();
    await backend.apply(off.vm, start, contextFor(off));
    const seen = await backend.observe(off.target.uuid);
    await qemu.close(session);
    const now = await harness.look(off.target.uuid);
    expect(now.vm).toMatchObject({ power: "running", run: seen!.run });
    const over = await harness.apply(now, cut);
    expect(over.vm).toMatchObject({ power: "off" });
    expect(over.vm).not.toHaveProperty("powerReason");
  });

  test("leaves its VM off when it is killed, which the VM says, and can be started again", async () => {
    const on = await harness.make({}, true);
    process.kill(await pidOf(on.target.uuid), "SIGKILL");
    await expect.poll(async () => (await harness.look(on.target.uuid)).vm!.power).toBe("off");
    const off = await harness.look(on.target.uuid);
    expect(off.vm).toMatchObject({ power: "off", powerReason: "crashed", stopReason: "crashed" });
    const again = await harness.apply(off, start);
    expect(again.vm).toMatchObject({ power: "running", run: expect.not.stringMatching(on.vm!.run!) });
  });

  test("that does not answer is named by its number, and cut off by it", async () => {
    const on = await harness.make({}, true);
    const pid = await pidOf(on.target.uuid);
    process.kill(pid, "SIGSTOP");
    const asked = testbed.session.withQmp(on.target.uuid, { timeoutMs: 500 }, (qmp) => qmp.execute("query-status"));
    await expect(asked).rejects.toMatchObject({
      code: "BACKEND_UNAVAILABLE",
      message: expect.stringContaining(`${pid}`),
    });
    expect((await harness.apply(on, cut)).vm).toMatchObject({ power: "off", stopReason: "power_cut" });
  });

  test("of the same number that began at another time is left alone", async () => {
    const on = await harness.make({}, true);
    const [{ process: file }, pid] = [testbed.session.pathsOf(on.target.uuid), await pidOf(on.target.uuid)];
    const known = await readFile(file, "utf8");
    await writeFile(file, JSON.stringify({ pid, startTime: "1" }));
    process.kill(pid, "SIGSTOP");
    try {
      await expect(harness.apply(on, cut)).rejects.toThrow(/cannot be identified/);
      expect(running(pid)).toMatch(/^T/);
    } finally {
      process.kill(pid, "SIGCONT");
      await writeFile(file, known);
    }
  });

  test("that cannot be started is told in QEMU's own words", async () => {
    const { vm } = await harness.make();
    const { definition } = testbed.session.pathsOf(vm!.uuid);
    await writeFile(
      definition,
      (await readFile(definition, "utf8")).replace('"qcow2"', '"raw"').replace(".qcow2", ".no"),
    );
    const broken = await harness.look(vm!.uuid);
    await expect(harness.apply(broken, start)).rejects.toThrow(/\.no': No such file or directory/);
    expect((await harness.look(vm!.uuid)).vm!.power).toBe("off");
  });
});

describe("several sessions on one directory", () => {
  test("refuse one of two changes of one definition, every time", async () => {
    const { session, backend } = await testbed.another();
    const { target } = await harness.make();
    for (let round = 0; round < 25; round += 1) {
      const before = await harness.look(target.uuid);
      const change = (cpus: number) => medium(before, `/isos/${round}-${cpus}.iso`);
      const codes = await Promise.all([
        codeOf(testbed.backend.apply(before.vm, change(1), contextFor(before))),
        codeOf(backend.apply(before.vm, change(2), contextFor(before))),
      ]);
      expect(codes.sort()).toEqual(["VM_CHANGED_MEANWHILE", "nothing was thrown"]);
    }
    await qemu.close(session);
  });

  test("start one process where two of them start one VM", async () => {
    const { session, backend } = await testbed.another();
    const off = await harness.make();
    await Promise.all([testbed.backend, backend].map((one) => one.apply(off.vm, start, contextFor(off))));
    expect(processesOf(off.target.uuid)).toEqual([String(await pidOf(off.target.uuid))]);
    await qemu.close(session);
  });

  test("answer many looks at one VM at once", async () => {
    const others = await Promise.all([1, 2, 3, 4, 5, 6].map(() => testbed.another()));
    const on = await harness.make({}, true);
    const looks = others.flatMap(({ backend }) => [1, 2, 3, 4].map(() => backend.observe(on.target.uuid)));
    expect(new Set((await Promise.all(looks)).map((vm) => vm!.run))).toEqual(new Set([on.vm!.run]));
    await Promise.all(others.map(({ session }) => qemu.close(session)));
  });

  test("refuse one of two VMs of one name with VM_EXISTS", async () => {
    const { session, backend } = await testbed.another();
    const [one, two] = [await harness.make(), await harness.make()];
    const change = { kind: "vm.rename", name: `taken-${one.target.uuid.slice(0, 8)}` } as const;
    const codes = await Promise.all([
      codeOf(testbed.backend.apply(one.vm, change, contextFor(one))),
      codeOf(backend.apply(two.vm, change, contextFor(two))),
    ]);
    expect(codes.sort()).toEqual(["VM_EXISTS", "nothing was thrown"]);
    await qemu.close(session);
  });
});

describe("what QEMU tells", () => {
  test("is kept to its last word, also while nobody was there", async () => {
    const on = await harness.make({}, true);
    await testbed.session.withQmp(on.target.uuid, {}, (qmp) => qmp.execute("system_reset"));
    await harness.apply(on, cut);
    const events = (await lastEvents(testbed.session.pathsOf(on.target.uuid).eventLog))!;
    // A guest without anything to boot resets by itself after a minute.
    const asked = events.filter(({ data }) => !(data as { guest?: boolean }).guest);
    expect(asked.map(({ event }) => event)).toEqual(["RESET", "SHUTDOWN"]);
    expect(events.at(-1)!.data).toMatchObject({ reason: "host-qmp-quit" });
    expect(Math.abs(events.at(-1)!.atMs - Date.now())).toBeLessThan(60_000);
  });

  test("reaches a watcher, and so does that a process was killed, which nobody tells", async () => {
    const watcher = await watcherOf(testbed.backend);
    const { target } = await harness.make({}, true);
    await watcher.hintOf(target.uuid, () =>
      testbed.session.withQmp(target.uuid, {}, (qmp) => qmp.execute("eject", { id: "sda", force: true })),
    );
    await expect.poll(async () => (await harness.look(target.uuid)).vm!.live!.drives[0]!.tray).toBe("open");
    await watcher.hintOf(target.uuid, async () => process.kill(await pidOf(target.uuid), "SIGKILL"));
    expect((await harness.look(target.uuid)).vm).toMatchObject({ power: "off", stopReason: "crashed" });
    await watcher.stop();
  });
});

describe("a guest's reset", () => {
  test("ends the run where it is to end it, and is told as a reboot", async () => {
    const watcher = await watcherOf(testbed.backend);
    const on = await harness.make({ isoPath: testbed.iso(isos.resets) }, true);
    await harness.apply(on, { kind: "reboot_action.set", endsRun: true });
    const hint = await watcher.waitForHint(
      ({ uuid, occurrence }) => uuid === on.target.uuid && occurrence !== undefined,
    );
    expect(hint).toEqual({ uuid: on.target.uuid, occurrence: { type: "rebooted", run: on.vm!.run } });
    await expect.poll(async () => (await harness.look(on.target.uuid)).vm!.power).toBe("off");
    expect((await harness.look(on.target.uuid)).vm!.stopReason).toBe("shutdown");
    await watcher.stop();
  });
});

describe("definitions that another program edited or removed", () => {
  test("hide no other VM when a file makes no sense, which is told when that VM is asked for", async () => {
    const [good, bad] = [await harness.make(), await harness.make()];
    const { definition } = testbed.session.pathsOf(bad.target.uuid);
    const text = await readFile(definition, "utf8");
    await writeFile(definition, text.replace("q35", "pc"));
    const listed = (await testbed.backend.list()).map(({ uuid }) => uuid);
    expect(listed).toContain(good.target.uuid);
    expect(listed).not.toContain(bad.target.uuid);
    await expect(testbed.backend.observe(bad.target.uuid)).rejects.toThrow(/machine/);
    await writeFile(definition, text);
  });

  test("leave a running VM transient when they are removed, and gone once it is off", async () => {
    const on = await harness.make({}, true);
    await rm(testbed.session.pathsOf(on.target.uuid).definition);
    const { vm } = await harness.look(on.target.uuid);
    expect(vm).toMatchObject({ power: "running", persistent: false, run: on.vm!.run });
    await testbed.session.withQmp(on.target.uuid, {}, (qmp) => qmp.execute("quit"));
    await expect.poll(() => testbed.backend.observe(on.target.uuid)).toBeUndefined();
  });
});

describe("firmware", () => {
  test.each([
    ["uefi", {}, /^CD-UEFI|^DISK-UEFI/],
    ["uefi", { tpm: true }, /^CD-UEFI|^DISK-UEFI/],
    ["bios", { diskBus: "sata", diskTarget: "sda", driveTarget: "sdb" }, /^CD-BIOS/],
    ["bios", { diskBus: "scsi", diskTarget: "sda", driveTarget: "sdb" }, /^CD-BIOS/],
  ] as const)("%s with %o boots its medium", async (firmware, more, said) => {
    const on = await harness.make({ firmware, ...more, isoPath: testbed.iso(isos.both) }, true);
    await waitForLine(on.vm!.next.serialLog!, said, { timeoutMs: 120_000 });
    const { vm } = await harness.look(on.target.uuid);
    expect(vm!.readBytes![vm!.next.drives[0]!.target]).toBeGreaterThan(2_048);
  });

  test("Secure Boot refuses a medium that nobody has signed", async () => {
    const secure = { firmware: "uefi_secure", memoryBytes: 128 * 1024 ** 2, isoPath: testbed.iso(isos.both) } as const;
    const on = await harness.make(secure, true);
    await waitForLine(on.vm!.next.serialLog!, /Access Denied/, { timeoutMs: 150_000 });
  });
});
