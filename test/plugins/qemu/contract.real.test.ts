// Goal: QEMU without libvirt does what every backend promises. Method: the contract suite on real processes, with guests
// of a few hundred bytes; the other program is an editor on the definition's file. What it cannot see: what several
// servers do to one directory, and a system that reacts to its power button; process.real.test.ts.

import { readFile, writeFile } from "node:fs/promises";
import { inject } from "vitest";
import { backendContract } from "../contract.ts";
import { openOtherNames } from "../other-names.ts";
import { openQemuHarness } from "./harness.ts";

const { isos } = inject("guests");

backendContract({
  name: "qemu",
  // A boot sector has no power button; journey-mcp.real.test.ts shuts a real system down.
  guestHonoursShutdown: false,
  // A saved state would be a migration to a file, and QEMU's own format changes with its version.
  unsupported: ["saved_state.discard"],
  async open() {
    const names = await openOtherNames();
    const harness = await openQemuHarness([isos.both, isos.data, isos.resets]);
    return {
      backend: harness.backend,
      isos: { bootable: harness.iso(isos.both), data: harness.iso(isos.data), resets: harness.iso(isos.resets) },
      spec: { acceleration: "tcg", memoryBytes: 64 * 1024 ** 2 },
      otherNames: names.of,
      async editElsewhere(uuid) {
        const { definition } = harness.session.pathsOf(uuid);
        const text = await readFile(definition, "utf8");
        await writeFile(definition, text.replace('"cpus": 1', '"cpus": 2'));
      },
      guestResets: async () => {},
      async close() {
        await names.close();
        await harness.close();
      },
    };
  },
});
