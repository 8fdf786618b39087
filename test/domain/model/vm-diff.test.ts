import { describe, expect, it } from "vitest";
import type { Occurrence } from "../../../src/domain/model/occurrence.ts";
import { reportedStateOf } from "../../../src/domain/model/reported-state.ts";
import type { Vm } from "../../../src/domain/model/vm.ts";
import { diffVm, isEmptyDelta } from "../../../src/domain/model/vm-diff.ts";
import { isos, vm, vmDefinition } from "../../support/world.ts";

const running = vm({ run: "run-1" });
const off = vm();
const seen = (one: Vm) => reportedStateOf("local", one);
const typesOf = (before: Vm | undefined, now: Vm | undefined, occurrences: Occurrence[] = []) =>
  diffVm("local", before && seen(before), now, occurrences).facts.map(({ type, data }) => [type, data]);
const ejected = (tray: "open" | "closed", path: string | null = isos.installer): Vm => {
  const next = vmDefinition({ isoPath: isos.installer });
  const drives = [{ target: "sda", bus: "sata", tray, ...(path !== null && { path }) }];
  return { ...running, next, live: { ...next, drives } };
};
const paused: Vm = { ...running, power: "paused", powerReason: "io_error" };

describe("diffVm()", () => {
  it.each<[string, Vm | undefined, Vm | undefined, Occurrence[], [string, object][]]>([
    ["a VM that is as it was", running, running, [], []],
    ["a start", off, running, [], [["vm.started", { run: "run-1" }]]],
    [
      "a guest that shut down",
      running,
      { ...off, stopReason: "shutdown" },
      [],
      [["vm.stopped", { run: "run-1", reason: "shutdown" }]],
    ],
    ["a run that nobody remembers the end of", running, off, [], [["vm.stopped", { run: "run-1", reason: "unknown" }]]],
    ["a crash", running, { ...off, stopReason: "crashed" }, [], [["vm.crashed", { run: "run-1" }]]],
    [
      "a guest that crashed and is kept",
      running,
      { ...running, power: "paused", powerReason: "crashed" },
      [],
      [["vm.crashed", { run: "run-1" }]],
    ],
    [
      "two runs between two looks",
      running,
      vm({ run: "run-2" }),
      [],
      [
        ["vm.stopped", { run: "run-1", reason: "unknown" }],
        ["vm.started", { run: "run-2" }],
      ],
    ],
    [
      "a reset",
      running,
      running,
      [{ type: "rebooted", run: "run-1" }],
      [["vm.rebooted", { run: "run-1", reboots: 1 }]],
    ],
    ["a reset of a run that is over", running, running, [{ type: "rebooted", run: "run-0" }], []],
    [
      "a reset at the end of a run",
      running,
      { ...off, stopReason: "shutdown" },
      [{ type: "rebooted", run: "run-1" }],
      [
        ["vm.rebooted", { run: "run-1", reboots: 1 }],
        ["vm.stopped", { run: "run-1", reason: "shutdown" }],
      ],
    ],
    ["a pause", running, { ...running, power: "paused" }, [], [["vm.paused", { run: "run-1" }]]],
    [
      "a start and a pause between two looks",
      off,
      { ...running, power: "paused" },
      [],
      [
        ["vm.started", { run: "run-1" }],
        ["vm.paused", { run: "run-1" }],
      ],
    ],
    [
      "a start that was looked at half-way",
      off,
      { ...running, power: "paused", powerReason: "starting" },
      [],
      [["vm.started", { run: "run-1" }]],
    ],
    [
      "a pause right after a start that was looked at half-way",
      { ...running, power: "paused", powerReason: "starting" },
      { ...running, power: "paused" },
      [],
      [["vm.paused", { run: "run-1" }]],
    ],
    ["the rest of it", { ...running, power: "paused", powerReason: "starting" }, running, [], []],
    ["a guest that goes on", { ...running, power: "paused" }, running, [], [["vm.resumed", { run: "run-1" }]]],
    ["a guest that goes on after an I/O error", paused, running, [], [["vm.resumed", { run: "run-1" }]]],
    [
      "a guest that opened its tray",
      ejected("closed"),
      ejected("open"),
      [],
      [["media.ejected_by_guest", { run: "run-1", drive: "sda", path: isos.installer }]],
    ],
    [
      "another program that took the medium out of a running VM",
      ejected("closed"),
      ejected("closed", null),
      [],
      [["vm.changed_elsewhere", { what: "media", drive: "sda", from: isos.installer }]],
    ],
    ["a tray that was open already", ejected("open"), ejected("open"), [], []],
    [
      "an I/O error that paused the guest, told and seen",
      running,
      paused,
      [{ type: "io_error", run: "run-1", target: "vda", reason: "enospc" }],
      [["disk.io_error", { run: "run-1", paused: true, disk: "vda", reason: "enospc" }]],
    ],
    ["an I/O error that was only seen", running, paused, [], [["disk.io_error", { run: "run-1", paused: true }]]],
    [
      "little space",
      running,
      running,
      [{ type: "space_low", run: "run-1", target: "vda", freeBytes: 5 }],
      [["disk.space_low", { run: "run-1", disk: "vda", free_bytes: 5 }]],
    ],
    ["an agent", running, { ...running, agent: true }, [], [["agent.connected", { run: "run-1" }]]],
    [
      "an agent in the next run",
      { ...running, agent: true },
      vm({ run: "run-2", agent: true }),
      [],
      [
        ["vm.stopped", { run: "run-1", reason: "unknown" }],
        ["vm.started", { run: "run-2" }],
        ["agent.connected", { run: "run-2" }],
      ],
    ],
    [
      "another name",
      off,
      vm({ name: "db" }),
      [],
      [["vm.changed_elsewhere", { what: "renamed", from: "web", to: "db" }]],
    ],
    ["another definition", off, vm({ fingerprint: "f-2" }), [], [["vm.changed_elsewhere", { what: "redefined" }]]],
    ["a VM that is new", undefined, off, [], [["vm.changed_elsewhere", { what: "defined" }]]],
    [
      "a VM that is gone while it ran",
      running,
      undefined,
      [],
      [
        ["vm.stopped", { run: "run-1", reason: "unknown" }],
        ["vm.changed_elsewhere", { what: "undefined" }],
      ],
    ],
    ["a VM that was never there", undefined, undefined, [], []],
  ])("tells of %s", (_what, before, now, occurrences, reported) => {
    expect(typesOf(before, now, occurrences)).toEqual(reported);
  });

  it("counts the resets of one run, and from the beginning in the next", () => {
    const reset: Occurrence = { type: "rebooted", run: "run-1" };
    const first = diffVm("local", seen(running), running, [reset]);
    const second = diffVm("local", first.reportedState!, running, [reset]);
    expect(second.facts).toEqual([{ type: "vm.rebooted", data: { run: "run-1", reboots: 2 } }]);
    expect(diffVm("local", second.reportedState!, vm({ run: "run-2" })).reportedState?.reboots).toBe(0);
  });

  it("waits with an I/O error until its disk is known, or until a look finds no more", () => {
    const hinted = diffVm("local", seen(running), paused, [], { isFound: false });
    expect(hinted.facts).toEqual([]);
    const error: Occurrence = { type: "io_error", run: "run-1", target: "vda", reason: "enospc" };
    const reported = diffVm("local", hinted.reportedState!, paused, [error], { isFound: false });
    expect(reported.facts).toEqual([
      { type: "disk.io_error", data: { run: "run-1", paused: true, disk: "vda", reason: "enospc" } },
    ]);
    expect(diffVm("local", reported.reportedState!, paused).facts).toEqual([]);
    const found = diffVm("local", hinted.reportedState!, paused);
    expect(found.facts).toEqual([{ type: "disk.io_error", data: { run: "run-1", paused: true } }]);
  });

  it("tells once in a run that the space for a disk is low", () => {
    const low: Occurrence = { type: "space_low", run: "run-1", target: "vda", freeBytes: 5 };
    const first = diffVm("local", seen(running), running, [low]);
    expect(first.facts).toHaveLength(1);
    expect(diffVm("local", first.reportedState!, running, [low]).facts).toEqual([]);
    const next = vm({ run: "run-2" });
    const again = diffVm("local", first.reportedState!, next, [{ ...low, run: "run-2" }]);
    expect(again.facts.map(({ type }) => type)).toEqual(["vm.stopped", "vm.started", "disk.space_low"]);
  });

  it("is nothing where nothing differs, and something where only the reportedState does", () => {
    expect(isEmptyDelta(diffVm("local", seen(running), running), seen(running))).toBe(true);
    expect(isEmptyDelta(diffVm("local", undefined, undefined), undefined)).toBe(true);
    const again = { ...running, powerReason: "postcopy" };
    const news = diffVm("local", seen(running), again);
    expect(news.facts).toEqual([]);
    expect(isEmptyDelta(news, seen(running))).toBe(false);
  });
});

describe("diffVm() of a reset", () => {
  const read = (vda: number): Vm => ({ ...running, readBytes: { vda } });
  const rebooted: Occurrence = { type: "rebooted", run: "run-1" };
  const first = diffVm("local", seen(read(10)), read(20), [rebooted]).reportedState!;

  it("remembers what had been read by then, until the next one", () => {
    expect(seen(read(10))).not.toHaveProperty("readAtReset");
    expect(first).toMatchObject({ reboots: 1, readAtReset: { vda: 20 } });
    const later = diffVm("local", first, read(30));
    expect(later.reportedState).toEqual(first);
    expect(isEmptyDelta(later, first)).toBe(true);
    expect(diffVm("local", first, read(40), [rebooted]).reportedState).toMatchObject({ readAtReset: { vda: 40 } });
  });

  it("keeps what it knew when it looks too late: then more counts as read since, never less", () => {
    const late = (before: typeof first | undefined) => diffVm("local", before, read(50), [rebooted], { isLate: true });
    expect(late(first).reportedState).toMatchObject({ reboots: 2, readAtReset: { vda: 20 } });
    expect(late(seen(read(10))).reportedState).not.toHaveProperty("readAtReset");
  });

  it("remembers nothing of it in the next run", () => {
    expect(diffVm("local", first, off).reportedState).not.toHaveProperty("readAtReset");
    expect(diffVm("local", first, vm({ run: "run-2" })).reportedState).not.toHaveProperty("readAtReset");
  });
});
