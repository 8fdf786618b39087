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
import { type Bench, benchOn, codeOf, contextFor, start } from "../contract-bench.ts";
import { medium } from "../contract-cases.ts";
import { openQemuBench, type QemuBench } from "./bench.ts";

const { isos } = inject("guests");
const cut = { kind: "power.stop", force: true, timeoutMs: 0 } as const;
let lab: QemuBench;
let bench: Bench;
let clear: () => Promise<void>;
beforeAll(async () => {
  lab = await openQemuBench([isos.both, isos.data, isos.resets]);
  ({ bench, clear } = benchOn({
    backend: lab.backend,
    isos: { bootable: lab.iso(isos.both), data: lab.iso(isos.data) },
    spec: { acceleration: "tcg", memoryBytes: 64 * 1024 ** 2 },
    close: lab.close,
  }));
});
afterAll(async () => {
  await clear?.();
  await lab?.close();
});

const pidOf = async (uuid: string) => Number(await readFile(lab.session.pathsOf(uuid).pid, "utf8"));
const running = (pid: number) => execFileSync("ps", ["-o", "stat=", "-p", String(pid)], { encoding: "utf8" }).trim();
/** The processes that run this VM, whoever started them. */
const processesOf = (uuid: string) =>
  execFileSync("pgrep", ["-f", `qemu-system-x86_64 .*-uuid ${uuid}`], { encoding: "utf8" })
    .trim()
    .split("\n");

describe("a VM's process", () => {
  test("outlives the session that started it, and is found again by another", async () => {
    const { session, backend } = await lab.another();
    const off = await bench.make();
    await backend.apply(off.vm, start, contextFor(off));
    const seen = await backend.observe(off.target.uuid);
    await qemu.close(session);
    const now = await bench.look(off.target.uuid);
    expect(now.vm).toMatchObject({ power: "running", run: seen!.run });
    const over = await bench.apply(now, cut);
    expect(over.vm).toMatchObject({ power: "off" });
    expect(over.vm).not.toHaveProperty("powerReason");
  });

  test("that was killed is off, says so, and can be started again", async () => {
    const on = await bench.make({}, true);
    process.kill(await pidOf(on.target.uuid), "SIGKILL");
    await expect.poll(async () => (await bench.look(on.target.uuid)).vm!.power).toBe("off");
    const off = await bench.look(on.target.uuid);
    expect(off.vm).toMatchObject({ power: "off", powerReason: "crashed", stopReason: "crashed" });
    const again = await bench.apply(off, start);
    expect(again.vm).toMatchObject({ power: "running", run: expect.not.stringMatching(on.vm!.run!) });
  });

  test("that does not answer is named by its number, and cut off by it", async () => {
    const on = await bench.make({}, true);
    const pid = await pidOf(on.target.uuid);
    process.kill(pid, "SIGSTOP");
    const asked = lab.session.withQmp(on.target.uuid, { timeoutMs: 500 }, (qmp) => qmp.execute("query-status"));
    await expect(asked).rejects.toMatchObject({
      code: "BACKEND_UNAVAILABLE",
      message: expect.stringContaining(`${pid}`),
    });
    expect((await bench.apply(on, cut)).vm).toMatchObject({ power: "off", stopReason: "power_cut" });
  });

  test("of the same number that began at another time is left alone", async () => {
    const on = await bench.make({}, true);
    const [{ process: file }, pid] = [lab.session.pathsOf(on.target.uuid), await pidOf(on.target.uuid)];
    const known = await readFile(file, "utf8");
    await writeFile(file, JSON.stringify({ pid, startTime: "1" }));
    process.kill(pid, "SIGSTOP");
    try {
      await expect(bench.apply(on, cut)).rejects.toThrow(/cannot be identified/);
      expect(running(pid)).toMatch(/^T/);
    } finally {
      process.kill(pid, "SIGCONT");
      await writeFile(file, known);
    }
  });

  test("that cannot be started is told in QEMU's own words", async () => {
    const { vm } = await bench.make();
    const { definition } = lab.session.pathsOf(vm!.uuid);
    await writeFile(
      definition,
      (await readFile(definition, "utf8")).replace('"qcow2"', '"raw"').replace(".qcow2", ".no"),
    );
    const broken = await bench.look(vm!.uuid);
    await expect(bench.apply(broken, start)).rejects.toThrow(/\.no': No such file or directory/);
    expect((await bench.look(vm!.uuid)).vm!.power).toBe("off");
  });
});

describe("several sessions on one directory", () => {
  test("of two that change one definition one is refused, every time", async () => {
    const { session, backend } = await lab.another();
    const { target } = await bench.make();
    for (let round = 0; round < 25; round += 1) {
      const before = await bench.look(target.uuid);
      const change = (cpus: number) => medium(before, `/isos/${round}-${cpus}.iso`);
      const codes = await Promise.all([
        codeOf(lab.backend.apply(before.vm, change(1), contextFor(before))),
        codeOf(backend.apply(before.vm, change(2), contextFor(before))),
      ]);
      expect(codes.sort()).toEqual(["VM_CHANGED_MEANWHILE", "nothing was thrown"]);
    }
    await qemu.close(session);
  });

  test("two that start one VM start one process", async () => {
    const { session, backend } = await lab.another();
    const off = await bench.make();
    await Promise.all([lab.backend, backend].map((one) => one.apply(off.vm, start, contextFor(off))));
    expect(processesOf(off.target.uuid)).toEqual([String(await pidOf(off.target.uuid))]);
    await qemu.close(session);
  });

  test("many looks at one VM at once are all answered", async () => {
    const others = await Promise.all([1, 2, 3, 4, 5, 6].map(() => lab.another()));
    const on = await bench.make({}, true);
    const looks = others.flatMap(({ backend }) => [1, 2, 3, 4].map(() => backend.observe(on.target.uuid)));
    expect(new Set((await Promise.all(looks)).map((vm) => vm!.run))).toEqual(new Set([on.vm!.run]));
    await Promise.all(others.map(({ session }) => qemu.close(session)));
  });

  test("two that give one name to two VMs: one is refused with VM_EXISTS", async () => {
    const { session, backend } = await lab.another();
    const [one, two] = [await bench.make(), await bench.make()];
    const change = { kind: "vm.rename", name: `taken-${one.target.uuid.slice(0, 8)}` } as const;
    const codes = await Promise.all([
      codeOf(lab.backend.apply(one.vm, change, contextFor(one))),
      codeOf(backend.apply(two.vm, change, contextFor(two))),
    ]);
    expect(codes.sort()).toEqual(["VM_EXISTS", "nothing was thrown"]);
    await qemu.close(session);
  });
});

describe("what QEMU tells", () => {
  test("is kept to its last word, also while nobody was there", async () => {
    const on = await bench.make({}, true);
    await lab.session.withQmp(on.target.uuid, {}, (qmp) => qmp.execute("system_reset"));
    await bench.apply(on, cut);
    const events = (await lastEvents(lab.session.pathsOf(on.target.uuid).eventLog))!;
    // A guest without anything to boot resets by itself after a minute.
    const asked = events.filter(({ data }) => !(data as { guest?: boolean }).guest);
    expect(asked.map(({ event }) => event)).toEqual(["RESET", "SHUTDOWN"]);
    expect(events.at(-1)!.data).toMatchObject({ reason: "host-qmp-quit" });
    expect(Math.abs(events.at(-1)!.atMs - Date.now())).toBeLessThan(60_000);
  });

  test("reaches a watcher, and so does that a process was killed, which nobody tells", async () => {
    const watcher = await watcherOf(lab.backend);
    const { target } = await bench.make({}, true);
    await watcher.tellsOf(target.uuid, () =>
      lab.session.withQmp(target.uuid, {}, (qmp) => qmp.execute("eject", { id: "sda", force: true })),
    );
    await expect.poll(async () => (await bench.look(target.uuid)).vm!.live!.drives[0]!.tray).toBe("open");
    await watcher.tellsOf(target.uuid, async () => process.kill(await pidOf(target.uuid), "SIGKILL"));
    expect((await bench.look(target.uuid)).vm).toMatchObject({ power: "off", stopReason: "crashed" });
    await watcher.stop();
  });
});

describe("a guest's reset", () => {
  test("that is to end the run ends it, and is told as a reboot", async () => {
    const watcher = await watcherOf(lab.backend);
    const on = await bench.make({ isoPath: lab.iso(isos.resets) }, true);
    await bench.apply(on, { kind: "reboot_action.set", endsRun: true });
    const told = await watcher.told(({ uuid, occurrence }) => uuid === on.target.uuid && occurrence !== undefined);
    expect(told).toEqual({ uuid: on.target.uuid, occurrence: { type: "rebooted", run: on.vm!.run } });
    await expect.poll(async () => (await bench.look(on.target.uuid)).vm!.power).toBe("off");
    expect((await bench.look(on.target.uuid)).vm!.stopReason).toBe("shutdown");
    await watcher.stop();
  });
});

describe("definitions that somebody else was at", () => {
  test("a file that makes no sense hides no other VM, and is told of when it is asked for", async () => {
    const [good, bad] = [await bench.make(), await bench.make()];
    const { definition } = lab.session.pathsOf(bad.target.uuid);
    const text = await readFile(definition, "utf8");
    await writeFile(definition, text.replace("q35", "pc"));
    const listed = (await lab.backend.list()).map(({ uuid }) => uuid);
    expect(listed).toContain(good.target.uuid);
    expect(listed).not.toContain(bad.target.uuid);
    await expect(lab.backend.observe(bad.target.uuid)).rejects.toThrow(/machine/);
    await writeFile(definition, text);
  });

  test("a running VM without its definition is transient, and gone once it is off", async () => {
    const on = await bench.make({}, true);
    await rm(lab.session.pathsOf(on.target.uuid).definition);
    const { vm } = await bench.look(on.target.uuid);
    expect(vm).toMatchObject({ power: "running", persistent: false, run: on.vm!.run });
    await lab.session.withQmp(on.target.uuid, {}, (qmp) => qmp.execute("quit"));
    await expect.poll(() => lab.backend.observe(on.target.uuid)).toBeUndefined();
  });
});

describe("firmware", () => {
  test.each([
    ["uefi", {}, /^CD-UEFI|^DISK-UEFI/],
    ["uefi", { tpm: true }, /^CD-UEFI|^DISK-UEFI/],
    ["bios", { diskBus: "sata", diskTarget: "sda", driveTarget: "sdb" }, /^CD-BIOS/],
    ["bios", { diskBus: "scsi", diskTarget: "sda", driveTarget: "sdb" }, /^CD-BIOS/],
  ] as const)("%s with %o boots its medium", async (firmware, more, said) => {
    const on = await bench.make({ firmware, ...more, isoPath: lab.iso(isos.both) }, true);
    await waitForLine(on.vm!.next.serialLog!, said, { timeoutMs: 120_000 });
    const { vm } = await bench.look(on.target.uuid);
    expect(vm!.readBytes![vm!.next.drives[0]!.target]).toBeGreaterThan(2_048);
  });

  test("Secure Boot refuses a medium that nobody has signed", async () => {
    const secure = { firmware: "uefi_secure", memoryBytes: 128 * 1024 ** 2, isoPath: lab.iso(isos.both) } as const;
    const on = await bench.make(secure, true);
    await waitForLine(on.vm!.next.serialLog!, /Access Denied/, { timeoutMs: 150_000 });
  });
});
