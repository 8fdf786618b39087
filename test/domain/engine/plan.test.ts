import { describe, expect, test } from "vitest";
import type { Change } from "../../../src/domain/changes/catalogue.ts";
import { decide } from "../../../src/domain/engine/plan.ts";
import type { PresetOrder } from "../../../src/domain/model/boot-order.ts";
import type { State } from "../../../src/domain/model/state.ts";
import {
  AT,
  able,
  ableToNothing,
  attach,
  biosDisk,
  DISK,
  definition,
  detach,
  drive,
  GIB,
  grow,
  ISO,
  isoFact,
  kindsOf,
  offWith,
  order,
  record,
  refusal,
  running,
  start,
  state,
  vm,
} from "../fixture.ts";

const cut: Change = { kind: "power.stop", force: true, timeoutMs: 0 };
const shutDown: Change = { kind: "power.stop", force: false, timeoutMs: 60_000 };

const blank = offWith("cdrom_hd", {});
const installedOff = offWith("cdrom_hd", { disk: biosDisk, iso: isoFact() });

describe("decide() what is so already", () => {
  const asked = (to: PresetOrder, given: State) => ({ ...given, record: record({ requestedOrder: to }) });
  const none: [string, State, readonly Change[]][] = [
    ["nothing asked for", blank, []],
    ["the order that is there and was asked for", asked("cdrom_hd", blank), [order(blank, "cdrom_hd")]],
    ["the ISO that is in the tray", installedOff, [attach()]],
    ["an empty tray", blank, [detach]],
    ["the size that it has", installedOff, [{ ...grow, sizeBytes: 20 * GIB }]],
    ["off", blank, [cut]],
    ["running", state({ vm: running(definition()) }), [start]],
    ["no saved state", blank, [{ kind: "saved_state.discard" }]],
    ["managed", blank, [{ kind: "vm.adopt", at: AT }]],
    [
      "the tag that is there",
      state({ vm: vm({ claim: { uuid: "u", revision: 1, status: "s" } }) }),
      [{ kind: "claim.write", tag: { uuid: "u", revision: 1, status: "s" } }],
    ],
  ];
  test.each(none)("decide() plans no step for %s", (_what, given, changes) => {
    expect(decide(given, changes, able())).toMatchObject({ steps: [], losses: [], overridden: [] });
  });

  test("decide() asks nothing of a backend that cannot do what is so already", () => {
    expect(decide(blank, [detach], able({}, ["media.set"])).steps).toEqual([]);
  });

  // Without this, a drift that somebody confirms by asking for the very order that is there would be put back at the
  // next start.
  test("decide() plans an order that is there already when something else is on record as asked for", () => {
    const drifted = asked("hd", blank);
    const plan = decide(drifted, [order(drifted, "cdrom_hd")], able());
    expect(kindsOf(plan)).toEqual(["boot_order.set"]);
    expect(plan.goal.record?.requestedOrder).toBe("cdrom_hd");
    expect(plan.findings.map(({ code }) => code)).not.toContain("BOOT_ORDER_DRIFT");
    expect(kindsOf(decide(blank, [order(blank, "cdrom_hd")], able()))).toEqual(["boot_order.set"]);
  });

  // Attaching it again is the fix that ISO_CHANGED names.
  test("decide() plans to attach an ISO that was replaced since it was attached", () => {
    const replaced = {
      ...offWith("cdrom_hd", { iso: isoFact({ identity: "iso-2" }) }),
      record: record({ isoIdentity: "iso-1" }),
    };
    const plan = decide(replaced, [attach(ISO, { identity: "iso-2" })], able());
    expect(kindsOf(plan)).toEqual(["media.set"]);
    expect(plan.findings.map(({ code }) => code)).not.toContain("ISO_CHANGED");
  });

  // Somebody undefined the VM: its record would stay for ever.
  test("decide() plans the deletion of a VM of which only the record is left", () => {
    const { vm: _gone, ...gone } = blank;
    const plan = decide(gone, [{ kind: "vm.delete" }], able());
    expect(kindsOf(plan)).toEqual(["vm.delete"]);
    expect(plan.goal.record).toBeUndefined();
    expect(plan.losses).toEqual([]);
    const { record: _none, ...nothing } = gone;
    expect(decide(nothing, [{ kind: "vm.delete" }], able()).steps).toEqual([]);
  });
});

describe("decide() what the backend can", () => {
  test("decide() refuses a change that the backend has no handler for, and lists what it has", () => {
    const error = refusal("CHANGE_UNSUPPORTED", () => decide(installedOff, [grow], able({}, ["disk.resize"])));
    expect(error.details).toMatchObject({ change: "disk.resize", backend: "test" });
    expect(error.details.supported).toContain("boot_order.set");
    expect(error.details.supported).not.toContain("disk.resize");
  });

  test("decide() asks no backend for what is in the record alone", () => {
    const given = state({ record: record({ status: "Installing" }) });
    expect(kindsOf(decide(given, [{ kind: "installation.set", transition: "complete" }], ableToNothing))).toEqual([
      "installation.set",
    ]);
  });

  test("decide() refuses while it runs what the backend can do only to a VM that is off", () => {
    const given = state({ vm: running(definition()), disks: { [DISK]: biosDisk } });
    const refusing = able({ "disk.resize": "refused" });
    expect(refusal("VM_MUST_BE_OFF", () => decide(given, [grow], refusing)).details).toEqual({
      vm: "web",
      change: "disk.resize",
    });
    expect(kindsOf(decide(given, [cut, grow], refusing))).toEqual(["power.stop", "disk.resize"]);
    expect(kindsOf(decide(installedOff, [grow], refusing))).toEqual(["disk.resize"]);
  });

  test("decide() refuses to start a paused VM", () => {
    const given = state({
      vm: running(definition(), { power: "paused", powerReason: "I/O error" }),
      disks: { [DISK]: biosDisk },
    });
    expect(refusal("VM_PAUSED", () => decide(given, [start], able())).details).toEqual({
      vm: "web",
      reason: "I/O error",
    });
  });
});

describe("decide() losses and effect", () => {
  test("decide() lists what is lost for good", () => {
    const given = state({ vm: running(definition(), { savedState: false }), disks: { [DISK]: biosDisk } });
    const losses = decide(given, [cut, { kind: "vm.delete" }, { kind: "disk.delete", path: DISK }], able()).losses;
    expect(losses).toHaveLength(3);
    expect(losses.join()).toMatch(/memory.*definition of VM web.*the file \/images\/web\.qcow2/);
    expect(decide(given, [shutDown], able()).losses).toEqual([]);
    expect(
      decide(state({ vm: vm({ savedState: true }) }), [{ kind: "saved_state.discard" }], able()).losses,
    ).toHaveLength(1);
  });

  test("decide() says when it takes effect", () => {
    const live = definition({ drives: [drive({ path: ISO })] });
    const given = state({ vm: running(live), disks: { [DISK]: biosDisk } });
    const effect = (changes: readonly Change[], on = given) => decide(on, changes, able()).takesEffect;
    expect(effect([order(given, "hd")])).toBe("next_start");
    expect(effect([detach])).toBe("now");
    expect(effect([detach, order(given, "hd")])).toBe("next_start");
    expect(effect([order(given, "hd"), shutDown, start])).toBe("now");
    expect(effect([order(installedOff, "hd")], installedOff)).toBe("now");
  });

  test("decide() plans each step on what the step before leads to", () => {
    const plan = decide(blank, [attach(), order(blank, "hd_cdrom")], able());
    expect(plan.steps[1]!.before).toEqual(plan.steps[0]!.goal);
    expect(plan.goal).toMatchObject(plan.steps[1]!.goal);
    expect(plan.goal.record?.requestedOrder).toBe("hd_cdrom");
    expect(plan.steps.map(({ status }) => status)).toEqual(["planned", "planned"]);
  });

  test("decide() leaves the state that it was given as it was", () => {
    const frozen = JSON.stringify(blank);
    decide(blank, [attach(), order(blank, "hd_cdrom"), { kind: "drive.add", target: "sdb", bus: "sata" }], able());
    expect(JSON.stringify(blank)).toBe(frozen);
  });
});
