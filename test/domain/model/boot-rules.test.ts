/** The prediction. Its source is the truth table of SeaBIOS and OVMF, tried on q35 with a virtio disk and a SATA drive:
 * an empty tray, a blank disk and an ISO without a boot record fall through to the next device. */
import { describe, expect, test } from "vitest";
import type { PresetOrder } from "../../../src/domain/model/boot-order.ts";
import { bootReport, predict } from "../../../src/domain/model/boot-rules.ts";
import type { DiskFact, IsoFact } from "../../../src/domain/model/image-fact.ts";
import { rolesFor } from "../../../src/domain/model/roles.ts";
import type { Firmware, VmDefinition } from "../../../src/domain/model/vm.ts";
import {
  biosDisk,
  blankDisk,
  DISK,
  definition,
  deviceBoot,
  disk,
  drive,
  ISO,
  isoFact,
  offWith,
  osBoot,
  presetBoot,
  record,
  running,
  state,
  uefiDisk,
  vm,
} from "../fixture.ts";

type Boots = "none" | "cdrom" | "hd" | "unknown";
const bootable = isoFact();
const nonBootable = isoFact({ bootsBios: false, bootsUefi: false });
const predictedOf = (
  order: PresetOrder,
  facts: { disk?: DiskFact; iso?: IsoFact },
  more: Partial<VmDefinition> = {},
) => {
  const given = offWith(order, facts, more);
  return predict(given, given.vm!.next, rolesFor(given)).boots.device;
};

// [order, disk, tray empty, bootable ISO, ISO without a boot record]
const truth: [PresetOrder, "blank" | "OS", Boots, Boots, Boots][] = [
  ["cdrom_hd", "blank", "none", "cdrom", "none"],
  ["cdrom_hd", "OS", "hd", "cdrom", "hd"],
  ["hd", "blank", "none", "none", "none"],
  ["hd", "OS", "hd", "hd", "hd"],
  ["cdrom", "blank", "none", "cdrom", "none"],
  ["cdrom", "OS", "none", "cdrom", "none"],
  ["hd_cdrom", "blank", "none", "cdrom", "none"],
  ["hd_cdrom", "OS", "hd", "hd", "hd"],
];

describe.each<{ firmware: Firmware; os: DiskFact; right: IsoFact; wrong: IsoFact }>([
  { firmware: "bios", os: biosDisk, right: isoFact({ bootsUefi: false }), wrong: isoFact({ bootsBios: false }) },
  { firmware: "uefi", os: uefiDisk, right: isoFact({ bootsBios: false }), wrong: isoFact({ bootsUefi: false }) },
  {
    firmware: "uefi_secure",
    os: uefiDisk,
    right: isoFact({ bootsBios: false, signed: true }),
    wrong: isoFact({ bootsUefi: false, signed: true }),
  },
])("predict() under $firmware", ({ firmware, os, right, wrong }) => {
  const diskOf = (content: "blank" | "OS") => (content === "blank" ? blankDisk : os);

  test.each(truth)(
    "predict() of %s with a %s disk: %s if the tray is empty, %s with a bootable ISO, %s with another",
    (order, content, empty, iso, nb) => {
      const given = diskOf(content);
      expect(predictedOf(order, { disk: given }, { firmware })).toBe(empty);
      expect(predictedOf(order, { disk: given, iso: right }, { firmware })).toBe(iso);
      expect(predictedOf(order, { disk: given, iso: nonBootable }, { firmware })).toBe(nb);
    },
  );

  test.each(truth)(
    "predict() of %s with a %s disk takes an ISO for the other firmware as one without a boot record",
    (order, content, _empty, _iso, nb) => {
      expect(predictedOf(order, { disk: diskOf(content), iso: wrong }, { firmware })).toBe(nb);
    },
  );

  // A file of no bytes is accepted by the hypervisor and looks like an empty tray.
  test.each(truth)(
    "predict() of %s with a %s disk takes a file of no bytes as an empty tray",
    (order, content, empty) => {
      expect(predictedOf(order, { disk: diskOf(content), iso: isoFact({ state: "empty" }) }, { firmware })).toBe(empty);
    },
  );
});

describe("predict() where the outcome cannot be known", () => {
  test("predict() does not look past a device of which nobody can tell", () => {
    expect(predictedOf("hd_cdrom", { disk: { ...blankDisk, content: "unknown" }, iso: bootable })).toBe("unknown");
    expect(predictedOf("cdrom_hd", { disk: { ...blankDisk, content: "unknown" }, iso: bootable })).toBe("cdrom");
  });

  // SeaBIOS jumps into the protective MBR of a UEFI disk and hangs there; OVMF ends in its shell.
  test("predict() does not promise that a disk boots under the other firmware", () => {
    expect(predictedOf("hd", { disk: uefiDisk }, { firmware: "bios" })).toBe("unknown");
    expect(predictedOf("hd", { disk: biosDisk }, { firmware: "uefi" })).toBe("unknown");
  });

  test("predict() does not promise that an unsigned ISO boots under Secure Boot", () => {
    expect(predictedOf("cdrom_hd", { iso: isoFact({ signed: false }) }, { firmware: "uefi_secure" })).toBe("unknown");
    expect(predictedOf("cdrom_hd", { iso: isoFact() }, { firmware: "uefi_secure" })).toBe("unknown");
  });

  test("predict() knows nothing of a network card, and says so only when it comes to it", () => {
    expect(predictedOf("hd", {}, { boot: osBoot("class:hd", "class:network") })).toBe("unknown");
    expect(predictedOf("hd", { disk: biosDisk }, { boot: osBoot("class:hd", "class:network") })).toBe("hd");
    expect(predictedOf("hd", { disk: biosDisk }, { boot: osBoot("class:network", "class:hd") })).toBe("unknown");
  });

  test("predict() says other, and no path, where the definition starts a kernel of its own", () => {
    const given = offWith("cdrom_hd", { disk: biosDisk, iso: bootable }, { directKernel: true });
    expect(predict(given, given.vm!.next, rolesFor(given)).boots).toEqual({ device: "other" });
  });
});

describe("predict() with several disks and drives", () => {
  const second = "/images/second.qcow2";
  const given = (boot: VmDefinition["boot"]) => {
    const disks = [disk(), disk({ target: "vdb", path: second })];
    const drives = [drive(), drive({ target: "sdb", path: ISO })];
    return state({
      vm: vm({ next: definition({ disks, drives, boot }) }),
      record: record({ roles: { systemDisk: "vdb", isoDrive: "sdb" } }),
      disks: { [DISK]: blankDisk, [second]: { ...biosDisk, path: second } },
    });
  };
  const predicted = (boot: VmDefinition["boot"]) => {
    const made = given(boot);
    return predict(made, made.vm!.next, rolesFor(made));
  };

  test("predict() reaches only the first disk and the first drive through <boot dev>", () => {
    const prediction = predicted(presetBoot("cdrom_hd"));
    expect(prediction.candidates.map(({ device, verdict, role }) => [device, verdict, role])).toEqual([
      ["cdrom:sda", "cannot", "other"],
      ["disk:vda", "cannot", "other"],
    ]);
    expect(prediction).toMatchObject({ order: "custom", boots: { device: "none" } });
  });

  test("predict() reaches every device through its own number, and names the file that boots", () => {
    expect(predicted(deviceBoot({ "cdrom:sdb": 1, "disk:vdb": 2 })).boots).toEqual({ device: "cdrom", path: ISO });
    expect(predicted(deviceBoot({ "disk:vdb": 1, "cdrom:sdb": 2 })).boots).toEqual({ device: "hd", path: second });
  });

  test("predict() tries only the first hard disk of the order under BIOS, and every disk under UEFI", () => {
    const order = deviceBoot({ "disk:vda": 1, "disk:vdb": 2 });
    const under = (firmware: Firmware, boot: VmDefinition["boot"]) => {
      const made = given(boot);
      const disks = { ...made.disks, [second]: { ...(firmware === "bios" ? biosDisk : uefiDisk), path: second } };
      return predict({ ...made, disks }, { ...made.vm!.next, firmware }, rolesFor(made)).boots;
    };
    expect(under("bios", order)).toEqual({ device: "none" });
    expect(under("uefi", order)).toEqual({ device: "hd", path: second });
    const mixed = deviceBoot({ "disk:vda": 1, "cdrom:sdb": 2, "disk:vdb": 3 });
    expect(under("bios", mixed)).toEqual({ device: "cdrom", path: ISO });
    const behind = deviceBoot({ "disk:vda": 1, "disk:vdb": 2, "cdrom:sdb": 3 });
    expect(under("bios", behind)).toEqual({ device: "cdrom", path: ISO });
    expect(under("uefi", behind)).toEqual({ device: "hd", path: second });
  });

  test("predict() does not try a device without a number", () => {
    expect(predicted(deviceBoot({ "cdrom:sda": 1 })).boots.device).toBe("none");
  });

  test("predict() does not take a foreign disk that boots for the system disk", () => {
    const made = { ...given(presetBoot("hd")), disks: { [DISK]: biosDisk, [second]: { ...blankDisk, path: second } } };
    expect(predict(made, made.vm!.next, rolesFor(made)).boots).toEqual({ device: "other", path: DISK });
  });
});

describe("bootReport()", () => {
  test("bootReport() answers for a guest's own reboot from what is running, and for a cold start from what is next", () => {
    const live = definition({ boot: presetBoot("cdrom_hd"), drives: [drive({ path: ISO })] });
    const next = definition({ boot: presetBoot("hd"), drives: [drive()] });
    const report = bootReport(state({ vm: running(live, { next }), disks: { [DISK]: biosDisk } }));
    expect(report.guestReboot).toMatchObject({ order: "cdrom_hd", boots: { device: "cdrom", path: ISO } });
    expect(report.coldStart).toMatchObject({ order: "hd", boots: { device: "hd", path: DISK } });
  });

  test("bootReport() lets a guest's reboot fall through to the disk once the medium is ejected live", () => {
    const next = definition({ boot: presetBoot("cdrom_hd"), drives: [drive({ path: ISO })] });
    const report = bootReport(state({ vm: running(definition(), { next }), disks: { [DISK]: biosDisk } }));
    expect(report.guestReboot.boots.device).toBe("hd");
    expect(report.coldStart.boots.device).toBe("cdrom");
  });

  // A warm reset closes the tray again and boots the CD (tried on IDE).
  test("bootReport() does not take a tray that the guest opened for an empty one", () => {
    const live = definition({ drives: [drive({ path: ISO, tray: "open" })] });
    expect(bootReport(state({ vm: running(live), disks: { [DISK]: biosDisk } })).guestReboot.boots.device).toBe(
      "cdrom",
    );
  });

  test("bootReport() takes both from the next definition while the VM is off", () => {
    const report = bootReport(offWith("hd", { disk: biosDisk }));
    expect(report.guestReboot).toEqual(report.coldStart);
  });

  test("bootReport() names the cause for each device", () => {
    const { coldStart } = bootReport(offWith("cdrom_hd", { iso: nonBootable }));
    expect(coldStart.candidates.map(({ device, cause }) => [device, cause])).toEqual([
      ["cdrom:sda", "the ISO has no boot record"],
      ["disk:vda", "the disk is blank"],
    ]);
  });

  test("bootReport() is a defect for a VM that is not there", () => {
    expect(() => bootReport({ target: state().target, disks: {}, isos: {} })).toThrow(TypeError);
  });
});

describe("rolesFor()", () => {
  const drives = [drive(), drive({ target: "sdb" })];
  const given = state({ vm: vm({ next: definition({ drives }) }), record: record({ roles: { isoDrive: "sdb" } }) });

  test("rolesFor() takes what is on record, and reads the rest from the definition", () => {
    expect(rolesFor(given)).toEqual({ systemDisk: "vda", isoDrive: "sdb" });
    const { record: _none, ...unmanaged } = given;
    expect(rolesFor(unmanaged)).toEqual({ systemDisk: "vda", isoDrive: "sda" });
    const { vm: _gone, ...gone } = given;
    expect(rolesFor(gone)).toEqual({ isoDrive: "sdb" });
  });

  // Somebody moved the disk to another bus, or removed the drive: an order for a device that is not there cannot be read
  // back, and an attach would be refused with nothing to do about it.
  test("rolesFor() forgets a device on record that is no longer there", () => {
    const moved = definition({ disks: [disk({ target: "sdc", bus: "sata" })], drives: [] });
    expect(rolesFor(state({ vm: vm({ next: moved }) }))).toEqual({ systemDisk: "sdc" });
    expect(rolesFor(state({ vm: running(definition(), { next: moved }) }))).toEqual({
      systemDisk: "vda",
      isoDrive: "sda",
    });
  });
});
