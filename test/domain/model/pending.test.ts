import { describe, expect, test } from "vitest";
import { pendingBetween } from "../../../src/domain/model/pending.ts";
import type { VmDefinition } from "../../../src/domain/model/vm.ts";
import { definition, deviceBoot, disk, drive, GIB, ISO, osBoot, presetBoot } from "../fixture.ts";

const live = definition({ drives: [drive({ path: ISO })] });

describe("pendingBetween()", () => {
  const differing: [string, Partial<VmDefinition>, string[]][] = [
    ["another order", { boot: presetBoot("hd") }, ["boot_order"]],
    ["a network card in the order", { boot: osBoot("class:cdrom", "class:hd", "class:network") }, ["boot_order"]],
    ["another medium", { drives: [drive({ path: "/isos/other.iso" })] }, ["media"]],
    ["an empty tray", { drives: [drive()] }, ["media"]],
    ["a second drive", { drives: [drive({ path: ISO }), drive({ target: "sdb" })] }, ["media"]],
    ["another disk image", { disks: [disk({ path: "/images/other.qcow2" })] }, ["disks"]],
    ["a second disk", { disks: [disk(), disk({ target: "vdb" })] }, ["disks"]],
    ["other firmware", { firmware: "uefi" }, ["firmware"]],
    ["more memory", { memoryBytes: 4 * GIB }, ["memory"]],
    ["more CPUs", { cpus: 4 }, ["cpus"]],
    ["several things", { cpus: 4, boot: presetBoot("hd"), drives: [drive()] }, ["boot_order", "media", "cpus"]],
  ];
  test.each(differing)("pendingBetween() notices %s", (_what, more, fields) => {
    expect(pendingBetween(live, { ...live, ...more })).toEqual(fields);
  });

  // Two texts of one definition always differ: the live one has resolved ports, aliases, tray states.
  const same: [string, Partial<VmDefinition>][] = [
    ["the same order in the per-device style", { boot: deviceBoot({ "cdrom:sda": 1, "disk:vda": 2 }) }],
    ["the same order with other numbers", { boot: deviceBoot({ "cdrom:sda": 3, "disk:vda": 9 }) }],
    ["a class that is named twice", { boot: osBoot("class:cdrom", "class:cdrom", "class:hd") }],
    ["a tray that the guest opened", { drives: [drive({ path: ISO, tray: "open" })] }],
    ["another serial log", { serialLog: "/images/serial.log" }],
  ];
  test("pendingBetween() does not take a network card for another because it is named by its address", () => {
    const byClass = definition({ boot: osBoot("class:hd", "class:network") });
    const byAddress = definition({ boot: deviceBoot({ "disk:vda": 1, "network:52:54:00:01:02:03": 2 }) });
    expect(pendingBetween(byClass, byAddress)).toEqual([]);
  });

  test.each(same)("pendingBetween() does not notice %s", (_what, more) => {
    expect(pendingBetween({ ...live, ...more }, live)).toEqual([]);
  });
});
