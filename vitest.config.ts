import { globSync, readFileSync } from "node:fs";
import { defineConfig } from "vitest/config";

const here = import.meta.dirname;
const all = "test/**/*.test.ts";
const real = "test/**/*.real.test.ts";
/** Another file in place of all real ones: test/support/leftovers.real.test.ts kills runs of one that never ends. */
const realTests = process.env.BOOTWRIGHT_REAL_TESTS ?? real;
/** The files that say `// @module-tag process`. */
const startsProcesses = globSync(all, { cwd: here }).filter((path) =>
  readFileSync(`${here}/${path}`, "utf8").includes("\n// @module-tag process\n"),
);

/** No test fails because the machine is busy: what is waited for is waited for long, and not at all where it is there. */
const patience = { poll: { timeout: 50_000, interval: 20 } };

// Three kinds of tests. `unit` needs nothing but this Node, and starts nothing. `process` starts servers, browsers or builds.
// `real` (*.real.test.ts) runs guests on the QEMU and the libvirt of this machine, without KVM if need be.
export default defineConfig({
  test: {
    watch: false,
    teardownTimeout: 30_000,
    tags: [{ name: "process", description: "Starts servers, browsers or builds: not part of npm run test:unit." }],
    projects: [
      {
        test: {
          name: "unit",
          include: [all],
          exclude: [real, ...startsProcesses],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          expect: patience,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: "process",
          include: startsProcesses,
          exclude: [real],
          maxWorkers: 2,
          testTimeout: 120_000,
          hookTimeout: 120_000,
          expect: patience,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          name: "real",
          include: [realTests],
          globalSetup: ["test/support/services.ts"],
          fileParallelism: false,
          // UEFI guests on a loaded machine take minutes where they usually take seconds.
          testTimeout: 180_000,
          hookTimeout: 180_000,
          expect: patience,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
