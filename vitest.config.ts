import { defineConfig } from "vitest/config";

// Two kinds of tests. `unit` needs nothing but Node and runs two files at a time. `real` (*.real.test.ts) runs guests on the
// libvirt of this machine, without KVM if need be: one file after the other, since two guests at once make both slow.
export default defineConfig({
  test: {
    watch: false,
    teardownTimeout: 30_000,
    projects: [
      {
        test: {
          name: "unit",
          include: ["test/**/*.test.ts"],
          exclude: ["test/**/*.real.test.ts"],
          maxWorkers: 2,
          // Nothing here takes long; on a machine that is busy with guests everything may.
          testTimeout: 60_000,
          hookTimeout: 60_000,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: "real",
          include: ["test/**/*.real.test.ts"],
          globalSetup: ["test/support/services.ts"],
          fileParallelism: false,
          // UEFI guests on a loaded machine take minutes where they usually take seconds.
          testTimeout: 180_000,
          hookTimeout: 180_000,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
