import { describe, expect, test } from "vitest";
import { bootChanges } from "../../../src/domain/changes/boot.ts";
import { bootOrderOf, bootSequence, bootWith, rolesOf } from "../../../src/domain/model/boot-order.ts";
import type { BootConfig, Roles, VmDefinition } from "../../../src/domain/model/vm.ts";
import { definition, deviceBoot, disk, drive, osBoot, presetBoot, record, state, vm } from "../fixture.ts";

const roles: Roles = { systemDisk: "vda", isoDrive: "sda" };
const two = (boot: BootConfig): VmDefinition =>
  definition({
    disks: [disk(), disk({ target: "vdb", path: "/images/data.qcow2" })],
    drives: [drive(), drive({ target: "sdb" })],
    boot,
  });

describe("bootSequence()", () => {
  test("bootSequence() goes by the numbers, not by the place in the list", () => {
    expect(bootSequence(definition({ boot: deviceBoot({ "disk:vda": 7, "network:aa": 3, "cdrom:sda": 1 }) }))).toEqual([
      "cdrom:sda",
      "network:aa",
      "disk:vda",
    ]);
  });

  test("bootSequence() resolves a class to the first device of it, and names a device once", () => {
    expect(bootSequence(two(osBoot("class:cdrom", "class:hd", "class:cdrom", "class:network")))).toEqual([
      "cdrom:sda",
      "disk:vda",
      "class:network",
    ]);
  });

  test("bootSequence() leaves a class as it is when there is no device of it", () => {
    expect(bootSequence(definition({ disks: [], drives: [], boot: presetBoot("hd_cdrom") }))).toEqual([
      "class:hd",
      "class:cdrom",
    ]);
  });
});

describe("rolesOf()", () => {
  const cases: [string, VmDefinition, Roles][] = [
    ["the first disk and drive where nothing is numbered", two(deviceBoot({})), { systemDisk: "vda", isoDrive: "sda" }],
    ["the first of each class in the os style", two(presetBoot("hd_cdrom")), { systemDisk: "vda", isoDrive: "sda" }],
    [
      "the lowest numbers in the device style",
      two(deviceBoot({ "disk:vdb": 2, "disk:vda": 3, "cdrom:sdb": 1 })),
      { systemDisk: "vdb", isoDrive: "sdb" },
    ],
    ["no role for which there is no device", definition({ drives: [] }), { systemDisk: "vda" }],
    [
      "a device that is there, when a number names one that is not",
      two(deviceBoot({ "disk:vdz": 1, "disk:vdb": 2 })),
      { systemDisk: "vdb", isoDrive: "sda" },
    ],
  ];
  test.each(cases)("rolesOf() picks %s", (_what, given, expected) => {
    expect(rolesOf(given)).toEqual(expected);
  });
});

describe("bootOrderOf()", () => {
  const cases: [string, BootConfig, string, string[]][] = [
    ["os cdrom,hd", presetBoot("cdrom_hd"), "cdrom_hd", []],
    ["os hd", presetBoot("hd"), "hd", []],
    ["os cdrom", presetBoot("cdrom"), "cdrom", []],
    ["os hd,cdrom", presetBoot("hd_cdrom"), "hd_cdrom", []],
    ["os hd,network", osBoot("class:hd", "class:network"), "hd", ["class:network"]],
    ["os network,hd", osBoot("class:network", "class:hd"), "custom", ["class:network"]],
    ["device cdrom 1, disk 2", deviceBoot({ "cdrom:sda": 1, "disk:vda": 2 }), "cdrom_hd", []],
    ["device disk 2, cdrom 3", deviceBoot({ "disk:vda": 2, "cdrom:sda": 3 }), "hd_cdrom", []],
    ["device disk 2 alone", deviceBoot({ "disk:vda": 2 }), "hd", []],
    ["device cdrom 1 alone", deviceBoot({ "cdrom:sda": 1 }), "cdrom", []],
    [
      "a network card between ours",
      deviceBoot({ "cdrom:sda": 1, "network:aa": 2, "disk:vda": 3 }),
      "custom",
      ["network:aa"],
    ],
    [
      "a network card behind ours",
      deviceBoot({ "disk:vda": 1, "cdrom:sda": 2, "network:aa": 3 }),
      "hd_cdrom",
      ["network:aa"],
    ],
    ["only other devices", deviceBoot({ "network:aa": 1 }), "custom", ["network:aa"]],
    ["nothing", deviceBoot({}), "custom", []],
  ];
  test.each(cases)("bootOrderOf() reads %s", (_what, boot, order, others) => {
    expect(bootOrderOf(two(boot), roles)).toEqual({ order, others });
  });

  test("bootOrderOf() calls another disk than the system disk foreign", () => {
    expect(bootOrderOf(two(presetBoot("hd_cdrom")), { systemDisk: "vdb", isoDrive: "sda" })).toEqual({
      order: "custom",
      others: ["disk:vda"],
    });
    expect(
      bootOrderOf(two(deviceBoot({ "cdrom:sda": 1, "disk:vda": 2 })), { systemDisk: "vdb", isoDrive: "sda" }),
    ).toEqual({
      order: "cdrom",
      others: ["disk:vda"],
    });
  });
});

describe("bootWith()", () => {
  test("bootWith() moves only the CD-ROM drive while the disk stays at 2", () => {
    const from = (boot: BootConfig) => definition({ boot });
    const pinned = deviceBoot({ "cdrom:sda": 1, "disk:vda": 2 });
    expect(bootWith(from(pinned), roles, "hd_cdrom")).toEqual(deviceBoot({ "disk:vda": 2, "cdrom:sda": 3 }));
    expect(bootWith(from(pinned), roles, "hd")).toEqual(deviceBoot({ "disk:vda": 2 }));
    expect(bootWith(from(deviceBoot({ "disk:vda": 2 })), roles, "cdrom_hd")).toEqual(pinned);
    expect(bootWith(from(deviceBoot({ "disk:vda": 2 })), roles, "hd_cdrom")).toEqual(
      deviceBoot({ "disk:vda": 2, "cdrom:sda": 3 }),
    );
    expect(bootWith(from(deviceBoot({ "disk:vda": 2, "cdrom:sda": 3 })), roles, "cdrom_hd").entries).toContainEqual({
      device: "disk:vda",
      order: 4,
    });
    expect(bootWith(from(pinned), roles, "cdrom")).toEqual(deviceBoot({ "cdrom:sda": 1 }));
  });

  test("bootWith() gives a network card the next number only if its own is taken", () => {
    const given = definition({ boot: deviceBoot({ "disk:vda": 1, "network:aa": 2, "network:bb": 9 }) });
    expect(bootWith(given, roles, "cdrom_hd").entries).toEqual([
      { device: "cdrom:sda", order: 1 },
      { device: "disk:vda", order: 2 },
      { device: "network:aa", order: 3 },
      { device: "network:bb", order: 9 },
    ]);
  });

  test("bootWith() puts a network card that came first behind ours", () => {
    const given = definition({ boot: osBoot("class:network", "class:hd") });
    expect(bootWith(given, roles, "cdrom_hd")).toEqual(osBoot("class:cdrom", "class:hd", "class:network"));
  });

  // `<os><boot dev>` reaches only the first disk and the first CD-ROM drive.
  test("bootWith() leaves the os style only where it cannot name the system disk or the ISO drive", () => {
    const given = two(presetBoot("cdrom_hd"));
    const second = { systemDisk: "vdb", isoDrive: "sdb" };
    expect(bootWith(given, { systemDisk: "vda", isoDrive: "sdb" }, "hd").style).toBe("os");
    expect(bootWith(given, { systemDisk: "vdb", isoDrive: "sda" }, "cdrom").style).toBe("os");
    expect(bootWith(given, { systemDisk: "vda", isoDrive: "sdb" }, "cdrom_hd").style).toBe("device");
    expect(bootWith(given, second, "hd").style).toBe("device");
  });

  // libvirt knows no classes beside per-device numbers, so that what is written would never be read back.
  test("bootWith() names the device that a class reached when it leaves the os style", () => {
    const given = two(osBoot("class:hd", "class:cdrom", "class:network"));
    expect(bootWith(given, { systemDisk: "vdb", isoDrive: "sda" }, "hd").entries).toEqual([
      { device: "disk:vdb", order: 1 },
      { device: "disk:vda", order: 2 },
      { device: "class:network", order: 3 },
    ]);
  });

  test("bootWith() works for a VM without a CD-ROM drive", () => {
    const given = definition({ drives: [], boot: presetBoot("hd") });
    expect(bootWith(given, rolesOf(given), "cdrom_hd")).toEqual(presetBoot("cdrom_hd"));
  });
});

describe("boot_order.set", () => {
  const set = bootChanges["boot_order.set"];
  const input = { boot: presetBoot("hd"), order: "hd" } as const;

  test("boot_order.set is reached when the definition says so, whatever its list is sorted by", () => {
    const goal = set.goal(state(), { boot: deviceBoot({ "disk:vda": 1, "cdrom:sda": 2 }) });
    const seen = state({ vm: vm({ next: definition({ boot: deviceBoot({ "cdrom:sda": 2, "disk:vda": 1 }) }) }) });
    expect(set.reached(seen, goal, { boot: goal.vm!.next.boot }, state())).toBe(true);
    expect(set.reached(state(), goal, { boot: goal.vm!.next.boot }, state())).toBe(false);
  });

  // A class stands for a device whose name only the hypervisor knows; it is read back under that name.
  test("boot_order.set is reached when a class was written as the device that it stands for", () => {
    const boot = deviceBoot({ "disk:vdb": 1, "class:network": 3 });
    const goal = set.goal(state(), { boot });
    const seen = (numbers: Record<string, number>) =>
      state({ vm: vm({ next: definition({ boot: deviceBoot(numbers) }) }) });
    expect(set.reached(seen({ "disk:vdb": 1, "network:52:54:00:01:02:03": 3 }), goal, { boot }, state())).toBe(true);
    expect(set.reached(seen({ "disk:vdb": 1 }), goal, { boot }, state())).toBe(true);
    expect(set.reached(seen({ "disk:vdb": 1, "network:aa": 2 }), goal, { boot }, state())).toBe(false);
    expect(set.reached(seen({ "disk:vdb": 1, "disk:vda": 3 }), goal, { boot }, state())).toBe(false);
    const classAlone = { boot: deviceBoot({ "class:network": 1 }) };
    const inOs = state({ vm: vm({ next: definition({ boot: osBoot("class:network") }) }) });
    expect(set.reached(inOs, set.goal(state(), classAlone), classAlone, state())).toBe(false);
  });

  test("boot_order.set puts what was asked for on record, and an undo does not", () => {
    expect(set.record!(record(), state(), input)).toMatchObject({ requestedOrder: "hd" });
    expect(set.undo(state(), input)).toEqual([{ kind: "boot_order.set", boot: presetBoot("cdrom_hd") }]);
    expect(set.record!(record({ requestedOrder: "cdrom" }), state(), { boot: presetBoot("hd") })).toMatchObject({
      requestedOrder: "cdrom",
    });
  });

  test("boot_order.set tells from what to what", () => {
    expect(set.events!(state(), state(), input)).toEqual([
      { type: "boot_order.changed", data: { from: "cdrom_hd", to: "hd" } },
    ]);
  });
});

describe("boot_order.adopt", () => {
  const adopt = bootChanges["boot_order.adopt"];
  test("boot_order.adopt takes what is there as asked for, and forgets what was asked for when it is custom", () => {
    expect(adopt.record!(record({ requestedOrder: "cdrom" }), state(), { order: "hd" })).toMatchObject({
      requestedOrder: "hd",
    });
    expect(adopt.record!(record({ requestedOrder: "cdrom" }), state(), { order: "custom" })).not.toHaveProperty(
      "requestedOrder",
    );
  });
});
