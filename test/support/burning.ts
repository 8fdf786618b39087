// A run that does not end by itself, with a guest on QEMU alone and one on libvirt. Only leftovers.real.test.ts runs it.

import { inject, test } from "vitest";
import { harnessOn } from "../plugins/contract-harness.ts";
import { openQemuHarness } from "../plugins/qemu/harness.ts";
import { openTestbed } from "./vm.ts";

test("burns until the run is killed", { timeout: 3_600_000 }, async () => {
  const { isos } = inject("guests");
  const { backend, iso, close } = await openQemuHarness([isos.both, isos.data]);
  const { harness } = harnessOn({
    backend,
    isos: { bootable: iso(isos.both), data: iso(isos.data) },
    spec: { acceleration: "tcg", memoryBytes: 64 * 1024 ** 2 },
    close,
  });
  await harness.make({}, true);
  const testbed = await openTestbed();
  const { uuid } = await testbed.installed("burning", { memory_mb: 64, boot_order: "hd" });
  await testbed.call("start_vm", { vm: uuid });
  console.log("BURNING");
  await new Promise(() => {});
});
