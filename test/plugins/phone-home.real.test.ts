// Goal: an installer that calls its link completes its VM's installation, and reaches nothing else. Method: a real guest on
// user-mode networking, whose unattended installer calls URLs at its end and prints what came of each. What it cannot see:
// cloud-init's and the distributions' own ways to call.

import { afterAll, beforeAll, expect, test } from "vitest";
import { installerIso } from "../fixtures/installer-iso.ts";
import { waitForLine } from "../support/guest.ts";
import { freePort } from "../support/port.ts";
import { openTestbed, type Testbed } from "../support/vm.ts";

let testbed: Testbed;
beforeAll(async () => {
  const plugin = "phone-home,boot-order=hd,detach-iso=true";
  testbed = await openTestbed({ settings: ["--guest-listen", String(await freePort()), "--plugin", plugin] });
});
afterAll(() => testbed?.close());

test("an installer calls, and the VM is installed and runs from its disk with no call of anybody's in between", async () => {
  const vm = await testbed.create("home", { memory_mb: 256, network: "user" });
  const of = { vm: vm.uuid };
  const { url } = await testbed.call("create_guest_link", of);
  const base = new URL(url).origin;
  const other = url.replace(vm.uuid, "0a6b7f52-1111-4222-8333-444455556666");
  const urls = [other, url, url, `${base}/`, `${base}/mcp`, `${base}/plugins/phone-home/`];
  const iso = await installerIso(testbed.iso(""), { urls });
  await testbed.call("attach_iso", { ...of, iso_path: iso });
  await testbed.call("start_vm", of);
  const hears = (pattern: RegExp) => waitForLine(vm.serial_log, pattern, { timeoutMs: 120_000 });

  await hears(/^NET eth0 10\.0\.2\.15/);
  await hears(/^CALLED 2: installation complete$/);
  for (const number of [1, 3, 4, 5, 6]) await hears(new RegExp(`^CALL-FAILED ${number}: .*404 Not Found`));
  await hears(/^INSTALL-COMPLETE run=1/);
  // The ISO is gone by then, so that the installer's own reboot falls through to the disk.
  await hears(/^BOOTED-FROM-DISK 1$/);
  const seen = await testbed.call("get_vm", of);
  expect(seen).toMatchObject({ installation_status: "Installed", boot_order: "hd" });
  expect(seen).not.toHaveProperty("current_media");
  const { operations } = await testbed.call("list_operations", { ...of, limit: 1 });
  expect(operations[0]).toMatchObject({ tool: "complete_installation", actor: "plugin:phone-home", status: "applied" });
  await testbed.call("delete_vm", { ...of, force: true });
});
