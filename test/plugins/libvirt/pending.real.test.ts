// Goal: when a change of a running VM takes effect is what the answer said. Method: a guest that resets itself every second
// and says each time what it was booted from. What it cannot see: guests that are reset through ACPI or the agent.

import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { serialEnd, waitForLine } from "../../support/guest.ts";
import { type Lab, openLab } from "../../support/vm.ts";

const { isos } = inject("guests");
let lab: Lab;
beforeAll(async () => {
  lab = await openLab({ isos: [isos.resets] });
});
afterAll(() => lab?.close());

describe("a VM that is running when its boot order is changed", () => {
  test("boots the old order at the guest's own resets, and the new one once it is restarted", async () => {
    const vm = await lab.installed("pending", { boot_order: "cdrom_hd", iso_path: lab.iso(isos.resets) });
    await lab.call("start_vm", { vm: vm.uuid, purpose: "live" });
    await waitForLine(vm.serial_log, /^CD-BIOS/);
    const answer = await lab.call("set_boot_order", { vm: vm.uuid, boot_order: "hd" });
    expect(answer).toMatchObject({ takes_effect: "next_start", vm: { boot_order: "hd", pending: ["boot_order"] } });
    const report = await lab.call("check_boot", { vm: vm.uuid });
    expect([report.cold_start.boots, report.guest_reboot.boots]).toEqual(["hd", "cdrom"]);
    const order = await lab.call("get_boot_order", { vm: vm.uuid });
    expect(order).toMatchObject({ boot_order: "hd", running_boot_order: "cdrom_hd" });
    for (let reset = 0; reset < 2; reset++) {
      await waitForLine(vm.serial_log, /^CD-BIOS/, { after: await serialEnd(vm.serial_log) });
    }
    await lab.call("restart_vm", { vm: vm.uuid, force: true });
    await waitForLine(vm.serial_log, /^DISK-BIOS/);
    expect(await lab.call("get_vm", { vm: vm.uuid })).toMatchObject({ pending: [], current_boot_device: "hd" });
    await lab.call("stop_vm", { vm: vm.uuid, force: true });
  });

  test("boots the disk at the guest's next reset once the ISO is taken out, as the answer says", async () => {
    const vm = await lab.installed("ejected", { boot_order: "cdrom_hd", iso_path: lab.iso(isos.resets) });
    await lab.call("start_vm", { vm: vm.uuid, purpose: "live" });
    await waitForLine(vm.serial_log, /^CD-BIOS/);
    await lab.call("detach_iso", { vm: vm.uuid });
    expect((await lab.call("check_boot", { vm: vm.uuid })).guest_reboot.boots).toBe("hd");
    await waitForLine(vm.serial_log, /^DISK-BIOS/);
    await lab.call("stop_vm", { vm: vm.uuid, force: true });
  });
});
