import { describe, expect, test } from "vitest";
import { type CurrentBoot, currentBootDevice } from "../../../src/domain/model/current-boot.ts";
import { biosDisk, DISK, definition, drive, ISO, isoFact, presetBoot, record, running, state } from "../fixture.ts";

const KIB = 1024;
type Device = "cdrom" | "hd" | "unknown";
const given = (device: Device | undefined, cdrom: number, hd: number, run = "run-1") =>
  state({
    vm: running(definition(), { readBytes: { sda: cdrom, vda: hd } }),
    record: record(device && { currentRun: { run, device, purpose: "normal", startedAt: "2026-11-23T10:00:00.000Z" } }),
  });

describe("currentBootDevice()", () => {
  // [started for, bytes from the CD-ROM, bytes from the disk, answer]
  const cases: [Device | undefined, number, number, CurrentBoot | undefined][] = [
    ["cdrom", 400 * KIB, 0, { device: "cdrom", certainty: "confirmed" }],
    ["cdrom", 400 * KIB, 900 * KIB, { device: "cdrom", certainty: "confirmed" }],
    ["cdrom", 2 * KIB, 0, { device: "cdrom", certainty: "predicted" }],
    ["cdrom", 0, 0, { device: "cdrom", certainty: "predicted" }],
    ["cdrom", 0, 400 * KIB, { device: "hd", certainty: "confirmed" }],
    ["hd", 0, 400 * KIB, { device: "hd", certainty: "confirmed" }],
    ["hd", 2 * KIB, 512, { device: "hd", certainty: "confirmed" }],
    ["hd", 0, 0, { device: "hd", certainty: "predicted" }],
    ["hd", 400 * KIB, 0, { device: "cdrom", certainty: "confirmed" }],
    ["hd", 400 * KIB, 400 * KIB, { device: "hd", certainty: "predicted" }],
    ["unknown", 400 * KIB, 0, { device: "cdrom", certainty: "confirmed" }],
    ["unknown", 0, 400 * KIB, { device: "hd", certainty: "confirmed" }],
    ["unknown", 400 * KIB, 400 * KIB, undefined],
    [undefined, 0, 0, undefined],
    [undefined, 0, 400 * KIB, { device: "hd", certainty: "confirmed" }],
  ];
  test.each(cases)(
    "currentBootDevice() of a run for %s that read %i bytes of the CD-ROM and %i of the disk",
    (device, cdrom, hd, answer) => {
      expect(currentBootDevice(given(device, cdrom, hd))).toEqual(answer);
    },
  );

  test("currentBootDevice() does not take an earlier run's start for this one's", () => {
    expect(currentBootDevice(given("cdrom", 0, 0, "run-0"))).toBeUndefined();
  });

  test("currentBootDevice() is absent when the VM is off or gone", () => {
    expect(currentBootDevice(state())).toBeUndefined();
    const { vm: _gone, ...gone } = state();
    expect(currentBootDevice(gone)).toBeUndefined();
  });

  test("currentBootDevice() works without block statistics", () => {
    const { readBytes: _none, ...vm } = given("hd", 0, 0).vm!;
    expect(currentBootDevice({ ...given("hd", 0, 0), vm })).toEqual({ device: "hd", certainty: "predicted" });
  });
});

describe("currentBootDevice() after a reset of the guest", () => {
  const MIB = 1024 * KIB;
  /** A run that an ISO began and in which an installer has read and written a lot. */
  const reset = (order: "cdrom_hd" | "hd_cdrom", tray: "full" | "empty", cdrom: number, hd: number) => {
    const live = definition({ boot: presetBoot(order), drives: [drive(tray === "full" ? { path: ISO } : {})] });
    return currentBootDevice({
      ...given("cdrom", 0, 0),
      vm: running(live, { readBytes: { sda: 60 * MIB + cdrom, vda: 2 * MIB + hd } }),
      disks: { [DISK]: biosDisk },
      isos: { [ISO]: isoFact() },
      readAtReset: { sda: 60 * MIB, vda: 2 * MIB },
    });
  };
  const confirmed = (device: "cdrom" | "hd") => ({ device, certainty: "confirmed" });

  test("currentBootDevice() counts what was read since", () => {
    expect(reset("cdrom_hd", "full", 60 * MIB, MIB)).toEqual(confirmed("cdrom"));
    expect(reset("cdrom_hd", "empty", 0, 20 * MIB)).toEqual(confirmed("hd"));
    expect(reset("hd_cdrom", "full", 400 * KIB, 20 * MIB)).toEqual(confirmed("hd"));
    expect(reset("cdrom_hd", "full", 0, 0)).toEqual({ device: "cdrom", certainty: "predicted" });
  });

  // A system that came from the medium and lives on the disk: the medium was taken out only afterwards.
  test("currentBootDevice() does not take an empty drive for one that was empty at the reset", () => {
    expect(reset("cdrom_hd", "empty", 60 * MIB, 200 * MIB)).toBeUndefined();
    expect(reset("cdrom_hd", "empty", 0, 0)).toBeUndefined();
  });
});
