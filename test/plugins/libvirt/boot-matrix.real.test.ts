// Goal: what check_boot predicts is what SeaBIOS and OVMF really boot. Method: guests of a few hundred bytes that say on
// the serial line what was booted, in every cell of the truth table under both (CI has the time for some of them). What it cannot see: real
// boot loaders, and firmware of other versions than this host has.
// @module-tag long

import { chmod, writeFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import type { PresetOrder } from "../../../src/domain/model/boot-order.ts";
import { serialLines, waitForLine } from "../../support/guest.ts";
import { scaled } from "../../support/scale.ts";
import { codesOf, openTestbed, refusalOf, type Testbed, type TestbedVm } from "../../support/vm.ts";

type Firmware = "bios" | "uefi";
type DiskContent = "blank" | "system";
type Tray = "empty" | "bootable" | "data";
type Booted = "cdrom" | "hd" | "none";
type Cell = readonly [PresetOrder, DiskContent, Tray, Booted];

const table: Record<PresetOrder, Record<DiskContent, Record<Tray, Booted>>> = {
  cdrom_hd: {
    blank: { empty: "none", bootable: "cdrom", data: "none" },
    system: { empty: "hd", bootable: "cdrom", data: "hd" },
  },
  hd: {
    blank: { empty: "none", bootable: "none", data: "none" },
    system: { empty: "hd", bootable: "hd", data: "hd" },
  },
  cdrom: {
    blank: { empty: "none", bootable: "cdrom", data: "none" },
    system: { empty: "none", bootable: "cdrom", data: "none" },
  },
  hd_cdrom: {
    blank: { empty: "none", bootable: "cdrom", data: "none" },
    system: { empty: "hd", bootable: "hd", data: "hd" },
  },
};
const everyCell = (Object.keys(table) as PresetOrder[]).flatMap((order) =>
  (["empty", "bootable", "data"] as const).flatMap((tray) =>
    (["blank", "system"] as const).map((disk): Cell => [order, disk, tray, table[order][disk][tray]]),
  ),
);
/** For CI: under SeaBIOS each order with each disk and with each tray, and each disk with each tray; under OVMF, which takes
 * three times as long, each order with each disk, and each disk with each tray. */
const covering: Record<Firmware, Record<PresetOrder, Record<DiskContent, readonly Tray[]>>> = {
  bios: {
    cdrom_hd: { blank: ["bootable"], system: ["empty", "data"] },
    hd: { blank: ["empty", "data"], system: ["bootable"] },
    cdrom: { blank: ["data"], system: ["empty", "bootable"] },
    hd_cdrom: { blank: ["empty", "bootable"], system: ["data"] },
  },
  uefi: {
    cdrom_hd: { blank: ["bootable"], system: ["data"] },
    hd: { blank: ["empty"], system: ["bootable"] },
    cdrom: { blank: ["data"], system: ["bootable"] },
    hd_cdrom: { blank: ["bootable"], system: ["empty"] },
  },
};
const hasTimeForAll = scaled(1, 0) === 1;
const cellsUnder = (firmware: Firmware) =>
  everyCell.filter(([order, disk, tray]) => hasTimeForAll || covering[firmware][order][disk].includes(tray));
const { isos } = inject("guests");
const saysWhatBooted = { cdrom: "CD-", hd: "DISK-" };
/** What the firmware says when it has nothing left to try: SeaBIOS on its debug port, OVMF on the serial line. */
const givesUp = { bios: /^No bootable device\./, uefi: /UEFI Interactive Shell|No bootable option or device/ };

let testbed: Testbed;
beforeAll(async () => {
  testbed = await openTestbed({ isos: Object.values(isos) });
});
afterAll(() => testbed?.close());

for (const firmware of ["bios", "uefi"] as const) {
  describe(firmware === "bios" ? "SeaBIOS" : "OVMF", () => {
    const vms = {} as Record<DiskContent, TestbedVm>;
    /** While one VM's power is cut, which takes a second or two, the other one is started. */
    const stopping: Partial<Record<DiskContent, Promise<unknown>>> = {};
    afterAll(() => Promise.all(Object.values(stopping)));
    beforeAll(async () => {
      vms.blank = await testbed.create(`${firmware}-blank`, { firmware, memory_mb: firmware === "bios" ? 64 : 128 });
      vms.system = await testbed.installed(`${firmware}-system`, {
        firmware,
        memory_mb: firmware === "bios" ? 64 : 128,
      });
      if (firmware === "bios") for (const vm of Object.values(vms)) await addDebugPort(vm);
    });

    test.each(cellsUnder(firmware))(
      "order %s, a %s disk and a tray that is %s: %s boots",
      async (order, disk, tray, booted) => {
        const vm = vms[disk];
        await stopping[disk];
        await arrange(vm, order, tray);

        const { cold_start: predicted } = await testbed.call("check_boot", { vm: vm.uuid });
        expect(predicted.boots).toBe(booted);

        const accept = booted === "none" ? await refusedCodes(vm) : ["UEFI_ENTRY_AT_RISK"];
        await testbed.call("start_vm", { vm: vm.uuid, accept });
        try {
          expect(await bootedBy(vm, firmware)).toBe(booted);
          const running = await testbed.call("get_vm", { vm: vm.uuid });
          expect([running.current_boot_device, running.current_boot_certainty]).toEqual(
            booted === "none" ? [undefined, undefined] : [booted, "confirmed"],
          );
        } finally {
          stopping[disk] = testbed.call("stop_vm", { vm: vm.uuid, force: true });
        }
      },
    );
  });
}

async function arrange(vm: TestbedVm, order: PresetOrder, tray: Tray): Promise<void> {
  if (tray === "empty") await testbed.call("detach_iso", { vm: vm.uuid });
  else
    await testbed.call("attach_iso", { vm: vm.uuid, iso_path: testbed.iso(tray === "data" ? isos.data : isos.both) });
  await testbed.call("set_boot_order", { vm: vm.uuid, boot_order: order, accept: ["NO_MEDIA", "UEFI_ENTRY_AT_RISK"] });
}

/** A start of a VM that cannot boot is refused; the codes that let it be started all the same. */
async function refusedCodes(vm: TestbedVm): Promise<string[]> {
  const { code, details } = await refusalOf(testbed.call("start_vm", { vm: vm.uuid }));
  expect(code).toBe("BLOCKED_BY_FINDINGS");
  const codes = codesOf(details as { findings: { code: string }[] });
  expect(codes).toContainEqual(expect.stringMatching(/^(NOTHING_BOOTS|NO_MEDIA|DISK_BLANK)$/));
  return codes;
}

const debugLog = (vm: TestbedVm) => vm.serial_log.replace(/serial\.log$/, "debug.log");

/** SeaBIOS says why it boots nothing on its debug port only, which a new VM does not have. */
async function addDebugPort(vm: TestbedVm): Promise<void> {
  // QEMU's own user opens it, and libvirt does not know of it.
  await writeFile(debugLog(vm), "");
  await chmod(debugLog(vm), 0o666);
  const args = ["-chardev", `file,id=debug,path=${debugLog(vm)}`, "-device", "isa-debugcon,iobase=0x402,chardev=debug"];
  const commandline = `<qemu:commandline xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>${args
    .map((value) => `<qemu:arg value='${value}'/>`)
    .join("")}</qemu:commandline>`;
  await testbed.define((await testbed.xml(vm.name)).replace("</domain>", `${commandline}</domain>`));
}

async function bootedBy(vm: TestbedVm, firmware: Firmware): Promise<Booted> {
  const given = firmware === "bios" ? debugLog(vm) : vm.serial_log;
  const watching = new AbortController();
  const seen = (path: string, pattern: RegExp) =>
    waitForLine(path, pattern, { timeoutMs: 90_000, unfinished: true, signal: watching.signal });
  try {
    const line = await Promise.any([seen(vm.serial_log, /^(CD|DISK)-/), seen(given, givesUp[firmware])]);
    const [kind] = Object.entries(saysWhatBooted).find(([, text]) => line.text.startsWith(text)) ?? ["none"];
    if (kind === "none")
      expect((await serialLines(vm.serial_log)).some(({ text }) => /^(CD|DISK)-/.test(text))).toBe(false);
    return kind as Booted;
  } finally {
    watching.abort();
  }
}
