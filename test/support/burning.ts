// A run that does not end by itself, with a guest on QEMU alone and one on libvirt. Only leftovers.real.test.ts runs it.

import { inject, test } from "vitest";
import { benchOn } from "../plugins/contract-bench.ts";
import { openQemuBench } from "../plugins/qemu/bench.ts";
import { openLab } from "./vm.ts";

test("burns until the run is killed", { timeout: 3_600_000 }, async () => {
  const { isos } = inject("guests");
  const { backend, iso, close } = await openQemuBench([isos.both, isos.data]);
  const { bench } = benchOn({
    backend,
    isos: { bootable: iso(isos.both), data: iso(isos.data) },
    spec: { acceleration: "tcg", memoryBytes: 64 * 1024 ** 2 },
    close,
  });
  await bench.make({}, true);
  const lab = await openLab();
  const { uuid } = await lab.installed("burning", { memory_mb: 64, boot_order: "hd" });
  await lab.call("start_vm", { vm: uuid });
  console.log("BURNING");
  await new Promise(() => {});
});
