// Goal: when a change of a running VM takes effect is what the answer said. Method: a guest that resets itself every second
// and says each time what it was booted from. What it cannot see: guests that are reset through ACPI or the agent.

import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { serialEnd, waitForLine } from "../../support/guest.ts";
import { openTestbed, type Testbed } from "../../support/vm.ts";

const { isos } = inject("guests");
let testbed: Testbed;
beforeAll(async () => {
  testbed = await openTestbed({ isos: [isos.resets] });
});
afterAll(() => testbed?.close());

describe("a VM that is running when its boot order is changed", () => {
  test("boots the old order at the guest's own resets, and the new one once it is restarted", async () => {
    const vm = await testbed.installed("pending", { boot_order: "cdrom_hd", iso_path: testbed.iso(isos.resets) });
    await testbed.call("start_vm", { vm: vm.uuid, purpose: "live" });
    await waitForLine(vm.serial_log, /^CD-BIOS/);
    const answer = await testbed.call("set_boot_order", { vm: vm.uuid, boot_order: "hd" });
    expect(answer).toMatchObject({ takes_effect: "next_start", vm: { boot_order: "hd", pending: ["boot_order"] } });
    const report = await testbed.call("check_boot", { vm: vm.uuid });
    expect([report.cold_start.boots, report.guest_reboot.boots]).toEqual(["hd", "cdrom"]);
    const order = await testbed.call("get_boot_order", { vm: vm.uuid });
    expect(order).toMatchObject({ boot_order: "hd", running_boot_order: "cdrom_hd" });
    for (let reset = 0; reset < 2; reset++) {
      await waitForLine(vm.serial_log, /^CD-BIOS/, { after: await serialEnd(vm.serial_log) });
    }
    await testbed.call("restart_vm", { vm: vm.uuid, force: true });
    await waitForLine(vm.serial_log, /^DISK-BIOS/);
    expect(await testbed.call("get_vm", { vm: vm.uuid })).toMatchObject({ pending: [], current_boot_device: "hd" });
    await testbed.call("stop_vm", { vm: vm.uuid, force: true });
  });

  test("boots the disk at the guest's next reset once the ISO is taken out, as the answer says", async () => {
    const vm = await testbed.installed("ejected", { boot_order: "cdrom_hd", iso_path: testbed.iso(isos.resets) });
    await testbed.call("start_vm", { vm: vm.uuid, purpose: "live" });
    await waitForLine(vm.serial_log, /^CD-BIOS/);
    await testbed.call("detach_iso", { vm: vm.uuid });
    expect((await testbed.call("check_boot", { vm: vm.uuid })).guest_reboot.boots).toBe("hd");
    await waitForLine(vm.serial_log, /^DISK-BIOS/);
    await testbed.call("stop_vm", { vm: vm.uuid, force: true });
  });
});
