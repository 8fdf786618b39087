/** Findings as gates: what stands in the way of which change, what may be accepted and what never. */
import { describe, expect, test } from "vitest";
import type { Change } from "../../../src/domain/changes/catalogue.ts";
import { decide } from "../../../src/domain/engine/plan.ts";
import { findingCodes } from "../../../src/domain/model/finding.ts";
import type { State } from "../../../src/domain/model/state.ts";
import {
  able,
  attach,
  biosDisk,
  DISK,
  definition,
  detach,
  diskFact,
  drive,
  grow,
  ISO,
  imageAt,
  isoFact,
  kindsOf,
  missingDisk,
  offWith,
  order,
  presetBoot,
  refusal,
  start,
  state,
  vm,
} from "../fixture.ts";

const blockedBy = (run: () => unknown) => refusal("BLOCKED_BY_FINDINGS", run).details.findings.map(({ code }) => code);

const blank = offWith("cdrom_hd", {});
const installedOff = offWith("cdrom_hd", { disk: biosDisk, iso: isoFact() });

describe("decide() and the findings that block", () => {
  const missing = offWith("cdrom_hd", { disk: biosDisk, iso: isoFact({ state: "missing" }) });
  const gates: [string, State, readonly Change[], string[]][] = [
    ["an order of cdrom with an empty tray", blank, [order(blank, "cdrom")], ["NO_MEDIA"]],
    [
      "an order of cdrom that costs a UEFI system its entry",
      offWith("hd", { disk: diskFact({ content: "data", bootsUefi: true }), iso: isoFact() }, { firmware: "uefi" }),
      [order(blank, "cdrom")],
      ["UEFI_ENTRY_AT_RISK"],
    ],
    [
      "an order for a disk that is not there",
      offWith("hd", { disk: missingDisk }),
      [order(blank, "hd_cdrom")],
      ["DISK_MISSING"],
    ],
    [
      "the growth of a disk that another VM uses",
      { ...installedOff, usage: { [imageAt(DISK)]: { inUseBy: ["db"], clones: [] } } },
      [grow],
      ["DISK_IN_USE"],
    ],
    [
      "an ISO that is not there",
      { ...blank, isos: { [ISO]: isoFact({ state: "missing" }) } },
      [attach()],
      ["ISO_MISSING"],
    ],
    [
      "an ISO that cannot be read",
      { ...blank, isos: { [ISO]: isoFact({ state: "unreadable" }) } },
      [attach()],
      ["ISO_UNREADABLE"],
    ],
    ["a start from a blank disk", offWith("hd", {}), [start], ["DISK_BLANK"]],
    ["a start where nothing boots", blank, [start], ["NOTHING_BOOTS"]],
    ["a start with a missing ISO", missing, [start], ["ISO_MISSING"]],
    [
      "a start that would resume",
      state({ vm: vm({ savedState: true }), disks: { [imageAt(DISK)]: biosDisk } }),
      [start],
      ["SAVED_STATE"],
    ],
  ];
  test.each(gates)("decide() refuses %s", (_what, given, changes, codes) => {
    expect(blockedBy(() => decide(given, changes, able()))).toEqual(codes);
  });

  test("decide() lets a disk grow whatever the boot order makes of an empty tray", () => {
    const given = offWith("cdrom", { disk: biosDisk });
    expect(kindsOf(decide(given, [grow], able()))).toEqual(["disk.resize"]);
  });

  test("decide() names only what stands in the way of this change", () => {
    const given = { ...blank, isos: { [ISO]: isoFact({ state: "missing" }) } };
    const error = refusal("BLOCKED_BY_FINDINGS", () => decide(given, [attach()], able()));
    expect(error.message).toBe(`Cannot attach an ISO to VM "web": ISO_MISSING: ${ISO} does not exist`);
    expect(refusal("BLOCKED_BY_FINDINGS", () => decide(blank, [order(blank, "cdrom")], able())).message).toMatch(
      /^Cannot change VM "web": NO_MEDIA: /,
    );
    expect(refusal("BLOCKED_BY_FINDINGS", () => decide(blank, [start], able())).message).toMatch(
      /^Cannot start VM "web": NOTHING_BOOTS: /,
    );
  });

  const free: [string, State, readonly Change[]][] = [
    ["an order for a blank disk: only its start is in question", offWith("cdrom_hd", {}), [order(blank, "hd")]],
    [
      "an ISO that does not boot",
      { ...blank, isos: { [ISO]: isoFact({ bootsBios: false, bootsUefi: false }) } },
      [attach()],
    ],
    [
      "an order that loops into the installer",
      offWith("hd", { disk: biosDisk, iso: isoFact() }),
      [order(blank, "cdrom_hd")],
    ],
    ["an order while the ISO is missing", missing, [order(missing, "hd")]],
    ["a start into the installer again", installedOff, [start]],
    ["an ISO nobody has looked into", { ...blank, isos: {} }, [attach()]],
  ];
  test.each(free)("decide() allows %s", (_what, given, changes) => {
    expect(decide(given, changes, able()).steps).toHaveLength(1);
  });

  test("decide() never refuses to empty a drive", () => {
    const others = definition({
      boot: presetBoot("cdrom"),
      drives: [drive({ path: ISO }), drive({ target: "sdb", path: "/isos/drivers.iso" })],
    });
    const broken = state({
      vm: vm({ next: others, savedState: true }),
      disks: { [imageAt(DISK)]: missingDisk },
      isos: { [ISO]: isoFact({ state: "missing" }) },
    });
    for (const target of ["sda", "sdb"])
      expect(decide(broken, [{ kind: "media.set", drive: target, force: false }], able()).steps).toHaveLength(1);
  });

  test("decide() lets later steps of the operation mend what an earlier one would be refused for", () => {
    expect(kindsOf(decide(blank, [order(blank, "cdrom"), attach()], able()))).toEqual(["boot_order.set", "media.set"]);
    expect(kindsOf(decide(offWith("hd", {}), [order(blank, "cdrom_hd"), attach(), start], able()))).toEqual([
      "boot_order.set",
      "media.set",
      "power.start",
    ]);
  });

  test("decide() does not let a step behind the start mend the start", () => {
    expect(blockedBy(() => decide(blank, [start, attach()], able()))).toEqual(["NOTHING_BOOTS"]);
    expect(
      blockedBy(() => decide(blank, [order(blank, "cdrom"), start, attach()], able({ "media.set": "now" }))),
    ).toContain("NO_MEDIA");
  });

  test("decide() refuses what the operation's last step spoils", () => {
    const withIso = offWith("hd", { disk: biosDisk, iso: isoFact() });
    expect(blockedBy(() => decide(withIso, [order(withIso, "cdrom"), detach], able()))).toEqual(["NO_MEDIA"]);
  });
});

describe("decide() accept", () => {
  test("decide() overrides exactly what accept names, and says so", () => {
    const plan = decide(offWith("hd", {}), [start], able(), ["DISK_BLANK", "NO_MEDIA"]);
    expect(plan.overridden.map(({ code }) => code)).toEqual(["DISK_BLANK"]);
    expect(kindsOf(plan)).toEqual(["power.start"]);
    const saved = state({ vm: vm({ savedState: true, next: definition({ boot: presetBoot("hd") }) }) });
    expect(blockedBy(() => decide(saved, [start], able(), ["DISK_BLANK"]))).toEqual(["SAVED_STATE"]);
    expect(blockedBy(() => decide(saved, [start], able(), ["SAVED_STATE"]))).toEqual(["DISK_BLANK"]);
    expect(decide(saved, [start], able(), ["SAVED_STATE", "DISK_BLANK"]).overridden).toHaveLength(2);
  });

  test("decide() says nothing of an override that was not needed", () => {
    expect(decide(installedOff, [start], able(), [...findingCodes]).overridden).toEqual([]);
  });

  const never: [string, Partial<State>][] = [
    ["DISK_MISSING", { disks: { [imageAt(DISK)]: missingDisk } }],
    ["DISK_CORRUPT", { disks: { [imageAt(DISK)]: { ...biosDisk, corrupt: true } } }],
    ["BACKING_MISSING", { disks: { [imageAt(DISK)]: { ...biosDisk, backingMissing: "/base" } } }],
    ["DISK_IN_USE", { usage: { [imageAt(DISK)]: { inUseBy: ["db"], clones: [] } } }],
    ["DISK_HAS_CLONES", { usage: { [imageAt(DISK)]: { inUseBy: [], clones: ["clone"] } } }],
  ];
  test.each(never)("decide() does not override %s whatever is accepted", (code, more) => {
    const given = { ...installedOff, ...more };
    const everything = [...findingCodes];
    expect(blockedBy(() => decide(given, [start], able(), everything))).toEqual([code]);
    expect(blockedBy(() => decide(given, [order(given, "hd")], able(), everything))).toEqual([code]);
    expect(refusal("BLOCKED_BY_FINDINGS", () => decide(given, [start], able(), everything)).hint).toContain(
      "cannot be overridden",
    );
    expect(decide(given, [detach], able()).steps).toHaveLength(1);
  });
});
