import { globSync, readFileSync } from "node:fs";
import { defineConfig } from "vitest/config";
import { LongFirst } from "./test/support/sequencer.ts";

const here = import.meta.dirname;
const all = "test/**/*.test.ts";
const real = "test/**/*.real.test.ts";
/** Another file in place of all real ones: test/support/leftovers.real.test.ts kills runs of one that never ends. */
const realTests = process.env.BOOTWRIGHT_REAL_TESTS ?? real;
/** The files that say `// @module-tag process` or `// @module-tag long`. */
const slow = globSync(all, { cwd: here }).filter((path) =>
  /^\/\/ @module-tag (?:process|long)$/m.test(readFileSync(`${here}/${path}`, "utf8")),
);

/** No test fails because the machine is busy: what is waited for is waited for long, and not at all where it is there. */
const patience = { poll: { timeout: 50_000, interval: 20 } };

// Three kinds of tests. `unit` is what needs nothing but this Node, and is quick. `slow` is what starts programs or makes
// thousands of calls; its files say so. `real` (*.real.test.ts) runs guests on the QEMU and the libvirt of this machine,
// without KVM if need be.
export default defineConfig({
  test: {
    watch: false,
    teardownTimeout: 30_000,
    sequence: { sequencer: LongFirst },
    tags: [
      { name: "process", description: "Starts servers, browsers or builds." },
      { name: "long", description: "Makes thousands of calls, or boots many guests." },
    ],
    projects: [
      {
        test: {
          name: "unit",
          // Their files leave nothing behind in a process, and to load everything anew for each takes longer than most do.
          isolate: false,
          include: [all],
          exclude: [real, ...slow],
          // As many as of the slow ones, which run in one group with them and mostly wait for programs.
          maxWorkers: 3,
          testTimeout: 120_000,
          hookTimeout: 120_000,
          expect: patience,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: "slow",
          include: slow,
          exclude: [real],
          maxWorkers: 3,
          testTimeout: 120_000,
          hookTimeout: 120_000,
          expect: patience,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: "real",
          include: [realTests],
          globalSetup: ["test/support/services.ts"],
          // Most of the time a file waits for its guests.
          maxWorkers: 2,
          // UEFI guests on a loaded machine take minutes where they usually take seconds.
          testTimeout: 180_000,
          hookTimeout: 180_000,
          expect: patience,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
