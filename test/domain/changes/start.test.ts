import { describe, expect, test } from "vitest";
import { type StartRequest, startChanges } from "../../../src/domain/changes/start.ts";
import { decide } from "../../../src/domain/engine/plan.ts";
import type { PresetOrder } from "../../../src/domain/model/boot-order.ts";
import type { InstallationStatus, Purpose } from "../../../src/domain/model/installation.ts";
import type { State } from "../../../src/domain/model/state.ts";
import {
  AT,
  able,
  biosDisk,
  blankDisk,
  definition,
  diskFact,
  ISO,
  isoFact,
  offWith,
  osBoot,
  presetBoot,
  record,
  refusal,
  running,
  state,
  vm,
} from "../fixture.ts";

const asking = (more: Partial<StartRequest> = {}): StartRequest => ({
  onDrift: "reassert",
  discardSavedState: false,
  at: AT,
  ...more,
});
const kinds = (given: State, more: Partial<StartRequest> = {}) =>
  startChanges(given, asking(more)).map(({ kind }) => kind);
const purposeOf = (given: State, more: Partial<StartRequest> = {}): Purpose | undefined => {
  const last = startChanges(given, asking(more)).at(-1);
  return last?.kind === "power.start" ? last.purpose : undefined;
};
const withStatus = (given: State, status: InstallationStatus): State => ({ ...given, record: record({ status }) });

describe("startChanges() purpose", () => {
  const ready = offWith("cdrom_hd", { iso: isoFact() });
  const cases: [string, State, Purpose][] = [
    ["a blank disk and media that boots", ready, "install"],
    ["the same after a failed installation", withStatus(ready, "InstallationFailed"), "install"],
    ["disk first, since a blank disk falls through", offWith("hd_cdrom", { iso: isoFact() }), "install"],
    [
      "media of which nobody can tell, first",
      offWith("cdrom_hd", { iso: isoFact() }, { firmware: "uefi_secure" }),
      "install",
    ],
    [
      "an installation under way",
      withStatus(offWith("cdrom_hd", { disk: biosDisk, iso: isoFact() }), "Installing"),
      "install",
    ],
    [
      "an installation under way whose disk boots first",
      withStatus(offWith("hd_cdrom", { disk: biosDisk, iso: isoFact() }), "Installing"),
      "normal",
    ],
    ["data on the disk and media that boots", offWith("cdrom_hd", { disk: biosDisk, iso: isoFact() }), "normal"],
    ["an installed system", withStatus(offWith("cdrom_hd", { disk: biosDisk, iso: isoFact() }), "Installed"), "normal"],
    ["an installed VM whose disk was wiped", withStatus(ready, "Installed"), "normal"],
    ["a blank disk and an empty tray", offWith("cdrom_hd", {}), "normal"],
    [
      "media that does not boot",
      offWith("cdrom_hd", { iso: isoFact({ bootsBios: false, bootsUefi: false }) }),
      "normal",
    ],
    [
      "content nobody can read",
      offWith("cdrom_hd", { disk: diskFact({ content: "unknown" }), iso: isoFact() }),
      "normal",
    ],
  ];
  test.each(cases)("startChanges() takes for granted, of %s, the purpose that fits", (_what, given, purpose) => {
    expect(purposeOf(given)).toBe(purpose);
  });

  test("startChanges() starts a VM that is not managed without a status", () => {
    const { record: _none, ...unmanaged } = ready;
    expect(kinds(unmanaged)).toEqual(["power.start"]);
    expect(purposeOf(unmanaged)).toBe("normal");
  });

  test("startChanges() moves the status for an installation, and only then", () => {
    expect(kinds(ready)).toEqual(["claim.write", "installation.set", "power.start"]);
    expect(kinds(withStatus(ready, "Installing"))).toEqual(["power.start"]);
    for (const purpose of ["live", "rescue", "normal"] as const)
      expect(kinds(ready, { purpose })).toEqual(["power.start"]);
    for (const purpose of ["live", "rescue", "normal", "install"] as const)
      expect(purposeOf(ready, { purpose })).toBe(purpose);
  });

  test("startChanges() does not install over an installed system unless that was begun", () => {
    const error = refusal("INSTALLATION_TRANSITION_ILLEGAL", () =>
      kinds(withStatus(ready, "Installed"), { purpose: "install" }),
    );
    expect(error.details.legal).toEqual(["begin_reinstallation"]);
  });
});

describe("startChanges() at the installer's reboot", () => {
  const ready = offWith("cdrom_hd", { iso: isoFact() });
  const startOf = (given: State, more: Partial<StartRequest>) =>
    startChanges(given, asking(more)).find(({ kind }) => kind === "power.start");

  test("startChanges() remembers what is to be done, and nothing where it is only to be told", () => {
    expect(startOf(ready, { atReboot: "eject" })).toMatchObject({ purpose: "install", atReboot: "eject" });
    for (const atReboot of ["tell", undefined] as const)
      expect(startOf(ready, { atReboot })).not.toHaveProperty("atReboot");
  });

  test("startChanges() has the reboot end the run where the disk is to be booted", () => {
    expect(kinds(ready, { atReboot: "boot_disk" }).slice(-2)).toEqual(["power.start", "reboot_action.set"]);
    expect(kinds(ready, { atReboot: "eject" })).not.toContain("reboot_action.set");
    const plan = decide(ready, startChanges(ready, asking({ atReboot: "boot_disk" })), able());
    expect(plan.goal.vm!.live!.resetEndsRun).toBe(true);
    expect(plan.goal.vm!.next).not.toHaveProperty("resetEndsRun");
    expect(plan.goal.record!.currentRun!.atReboot).toBe("boot_disk");
  });

  test("startChanges() is refused where the backend cannot end a run by a reboot, before anything is touched", () => {
    const error = refusal("CHANGE_UNSUPPORTED", () =>
      decide(ready, startChanges(ready, asking({ atReboot: "boot_disk" })), able({}, ["reboot_action.set"])),
    );
    expect(error.details.change).toBe("reboot_action.set");
    decide(ready, startChanges(ready, asking({ atReboot: "eject" })), able({}, ["reboot_action.set"]));
  });

  test("startChanges() refuses it for a run that does not install, and keeps it over a restart of one that does", () => {
    const installed = withStatus(offWith("hd", { disk: biosDisk }), "Installed");
    for (const atReboot of ["eject", "boot_disk"] as const)
      expect(refusal("INPUT_INVALID", () => kinds(installed, { atReboot })).message).toContain("at_reboot");
    expect(kinds(installed, { atReboot: "tell" })).toEqual(["power.start"]);
    expect(startOf(installed, { kept: "eject" })).not.toHaveProperty("atReboot");
    expect(startOf(ready, { kept: "eject" })).toMatchObject({ atReboot: "eject" });
  });

  test("startChanges() does not change it for a run that has begun", () => {
    const run = { run: "run-1", device: "cdrom", purpose: "install", startedAt: AT } as const;
    const begun = (more: object) =>
      state({ vm: running(definition()), record: record({ status: "Installing", currentRun: { ...run, ...more } }) });
    expect(kinds(begun({ atReboot: "eject" }), { atReboot: "eject" })).toEqual([]);
    expect(kinds(begun({}), { atReboot: "tell" })).toEqual([]);
    refusal("VM_MUST_BE_OFF", () => kinds(begun({}), { atReboot: "eject" }));
  });
});

describe("startChanges() on the way", () => {
  test("startChanges() attaches the ISO first, and judges the purpose with it in the drive", () => {
    const given = { ...offWith("cdrom_hd", {}), isos: { [ISO]: isoFact() } };
    expect(kinds(given, { isoPath: ISO })).toEqual(["media.set", "claim.write", "installation.set", "power.start"]);
    const plan = decide(given, startChanges(given, asking({ isoPath: ISO })), able());
    expect(plan.goal.record).toMatchObject({ status: "Installing", isoIdentity: "iso-1" });
    expect(plan.goal.vm).toMatchObject({ power: "running" });
    expect(plan.goal.vm!.live!.drives[0]!.path).toBe(ISO);
    expect(plan.takesEffect).toBe("now");
  });

  test("startChanges() refuses an ISO for a VM without a drive", () => {
    refusal("DRIVE_NOT_FOUND", () => kinds(offWith("hd", { disk: biosDisk }, { drives: [] }), { isoPath: ISO }));
  });

  test("startChanges() has nothing to do for a VM that is running", () => {
    const given = state({ vm: running(definition()) });
    expect(startChanges(given, asking())).toEqual([]);
    expect(startChanges(given, asking({ purpose: "rescue" }))).toEqual([]);
    refusal("VM_MUST_BE_OFF", () => startChanges(given, asking({ isoPath: ISO })));
    refusal("VM_MUST_BE_OFF", () => startChanges(given, asking({ purpose: "install" })));
  });

  test("startChanges() leads to VM_PAUSED for a paused one, before anything is touched", () => {
    const given = state({
      vm: running(definition({ boot: presetBoot("hd") }), { power: "paused" }),
      disks: { "/images/web.qcow2": biosDisk },
    });
    refusal("VM_PAUSED", () => decide(given, startChanges(given, asking()), able()));
  });
});

describe("startChanges() drift", () => {
  const drifted = (asked: PresetOrder, more: Parameters<typeof definition>[0] = {}) => ({
    ...offWith("hd", { disk: biosDisk, iso: isoFact() }, more),
    record: record({ requestedOrder: asked, status: "Installed" }),
  });

  test("startChanges() puts back what was asked for", () => {
    const [first] = startChanges(drifted("cdrom_hd"), asking());
    expect(first).toEqual({ kind: "boot_order.set", boot: presetBoot("cdrom_hd"), order: "cdrom_hd" });
  });

  test("startChanges() takes what is there as asked for when told to", () => {
    expect(startChanges(drifted("cdrom_hd"), asking({ onDrift: "adopt" }))[0]).toEqual({
      kind: "boot_order.adopt",
      order: "hd",
    });
    const custom = drifted("hd", { boot: osBoot("class:network", "class:hd") });
    const plan = decide(custom, startChanges(custom, asking({ onDrift: "adopt" })), able());
    expect(plan.goal.record).not.toHaveProperty("requestedOrder");
    expect(plan.goal.vm!.next.boot).toEqual(custom.vm!.next.boot);
  });

  test("startChanges() sees no drift where the order is as asked for, or nobody asked", () => {
    expect(kinds(drifted("hd"))).toEqual(["power.start"]);
    expect(kinds(offWith("hd", { disk: biosDisk }))).toEqual(["power.start"]);
  });

  test("startChanges() judges the start by the order that was put back", () => {
    const given = {
      ...offWith("hd", { disk: blankDisk, iso: isoFact() }),
      record: record({ requestedOrder: "cdrom_hd" as const }),
    };
    expect(decide(given, startChanges(given, asking()), able()).goal.vm!.power).toBe("running");
    refusal("BLOCKED_BY_FINDINGS", () => decide(given, startChanges(given, asking({ onDrift: "adopt" })), able()));
  });
});

describe("startChanges() saved state", () => {
  const saved = state({
    vm: vm({ savedState: true, next: definition({ boot: presetBoot("hd") }) }),
    disks: { "/images/web.qcow2": biosDisk },
  });

  test("startChanges() does not discard a saved state by itself, and the start is refused", () => {
    expect(kinds(saved)).toEqual(["power.start"]);
    const error = refusal("BLOCKED_BY_FINDINGS", () => decide(saved, startChanges(saved, asking()), able()));
    expect(error.details.findings[0]).toMatchObject({
      code: "SAVED_STATE",
      fixes: [{ tool: "start_vm", arguments: { discard_saved_state: true } }],
    });
  });

  test("startChanges() discards it when told to, which loses something", () => {
    expect(kinds(saved, { discardSavedState: true })).toEqual(["saved_state.discard", "power.start"]);
    expect(decide(saved, startChanges(saved, asking({ discardSavedState: true })), able()).losses).toHaveLength(1);
    expect(kinds(offWith("hd", { disk: biosDisk }), { discardSavedState: true })).toEqual(["power.start"]);
  });

  test("startChanges() resumes it where SAVED_STATE is accepted", () => {
    expect(decide(saved, startChanges(saved, asking()), able(), ["SAVED_STATE"]).overridden).toHaveLength(1);
  });
});
