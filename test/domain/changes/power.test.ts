import { describe, expect, test } from "vitest";
import { powerChanges } from "../../../src/domain/changes/power.ts";
import { AT, biosDisk, DISK, definition, drive, ISO, presetBoot, record, running, state, vm } from "../fixture.ts";

const start = powerChanges["power.start"];
const stop = powerChanges["power.stop"];
const input = { purpose: "normal", at: AT } as const;
const cut = { force: true, timeoutMs: 0 };

describe("power.start", () => {
  test.each([
    ["the CD-ROM", definition({ drives: [drive({ path: ISO })] }), "cdrom"],
    ["the disk", definition({ boot: presetBoot("hd") }), "hd"],
    [
      "what nobody can tell",
      definition({ boot: { style: "os", entries: [{ device: "class:network", order: 1 }] } }),
      "unknown",
    ],
  ])("power.start records that the run was started from %s", (_what, live, device) => {
    const now = state({ vm: running(live), disks: { [DISK]: biosDisk } });
    expect(start.record!(record(), now, input)).toMatchObject({
      currentRun: { run: "run-1", device, purpose: "normal", startedAt: AT },
    });
  });

  // A start that resumed something runs with the old definition, which is the one to judge by.
  test("power.start judges by the definition that is running, not by the next one", () => {
    const now = state({
      vm: running(definition({ boot: presetBoot("hd") }), { next: definition({ drives: [drive({ path: ISO })] }) }),
      disks: { [DISK]: biosDisk },
    });
    expect(start.record!(record(), now, input)?.currentRun?.device).toBe("hd");
  });

  test("power.start records what is to be done when the installer reboots, where something is", () => {
    const now = state({ vm: running(definition()) });
    const recorded = (more: object) => start.record!(record(), now, { ...input, ...more })!.currentRun!;
    expect(recorded({ atReboot: "boot_disk" }).atReboot).toBe("boot_disk");
    expect(recorded({})).not.toHaveProperty("atReboot");
  });

  test("power.start records which image the system disk had, so that a write to it shows", () => {
    const now = state({ vm: running(definition()), disks: { [DISK]: { ...biosDisk, identity: "disk-1" } } });
    expect(start.record!(record(), now, input)!.currentRun!.diskIdentity).toBe("disk-1");
  });

  test("power.start records nothing of a VM that is off again", () => {
    expect(start.record!(record(), state(), input)).toEqual(record());
  });

  test("power.start leaves a running guest running when a later step fails", () => {
    expect(start.undo(state(), input)).toBe("kept");
  });
});

describe("power.stop", () => {
  const before = state({ vm: running(definition()) });

  test("power.stop is reached when it is off, or when it is another run by now", () => {
    expect(stop.reached(state(), state(), cut, before)).toBe(true);
    expect(stop.reached(before, state(), cut, before)).toBe(false);
    expect(stop.reached(state({ vm: running(definition(), { run: "run-2" }) }), state(), cut, before)).toBe(true);
    const { vm: _gone, ...gone } = before;
    expect(stop.reached(gone, state(), cut, before)).toBe(false);
  });

  test("power.stop loses the guest's memory only when the power is cut", () => {
    expect(stop.loses!(before, cut)).toHaveLength(1);
    expect(stop.loses!(before, { force: false, timeoutMs: 60_000 })).toEqual([]);
    expect(stop.loses!(state(), cut)).toEqual([]);
  });

  test("power.stop leads to a VM without anything live", () => {
    const goal = stop.goal(state({ vm: running(definition(), { readBytes: { vda: 1 } }) }), cut).vm!;
    expect(goal.power).toBe("off");
    for (const field of ["live", "run", "readBytes"]) expect(goal).not.toHaveProperty(field);
    expect(
      stop.record!(
        record({ currentRun: { run: "run-1", device: "hd", purpose: "normal", startedAt: AT } }),
        state(),
        cut,
      ),
    ).not.toHaveProperty("currentRun");
  });

  test("power.stop may take as long as the guest has, and a minute", () => {
    expect(stop.limitMs!({ force: false, timeoutMs: 120_000 })).toBe(180_000);
  });
});

describe("saved_state.discard", () => {
  test("saved_state.discard is reached when there is none", () => {
    const discard = powerChanges["saved_state.discard"];
    expect(discard.reached(state(), state(), {}, state())).toBe(true);
    expect(discard.reached(state({ vm: vm({ savedState: true }) }), state(), {}, state())).toBe(false);
    expect(discard.undo(state(), {})).toBe("kept");
  });
});

describe("reboot_action.set", () => {
  const set = powerChanges["reboot_action.set"];
  const plain = state({ vm: running(definition()) });
  const ending = state({ vm: running(definition({ resetEndsRun: true }), { next: definition() }) });

  test("reboot_action.set is about the running definition alone", () => {
    expect(set.goal(plain, { endsRun: true }).vm).toEqual(ending.vm);
    expect(set.goal(ending, { endsRun: false }).vm).toEqual(plain.vm);
    expect(set.reached(ending, ending, { endsRun: true }, plain)).toBe(true);
    expect(set.reached(plain, ending, { endsRun: true }, plain)).toBe(false);
    expect(set.reached(plain, plain, { endsRun: false }, ending)).toBe(true);
  });

  test("reboot_action.set has not happened to a VM that is off", () => {
    for (const endsRun of [true, false]) expect(set.reached(state(), state(), { endsRun }, plain)).toBe(false);
  });

  test("reboot_action.set is undone by what was there", () => {
    expect(set.undo(plain, { endsRun: true })).toEqual([{ kind: "reboot_action.set", endsRun: false }]);
    expect(set.undo(ending, { endsRun: false })).toEqual([{ kind: "reboot_action.set", endsRun: true }]);
  });
});
