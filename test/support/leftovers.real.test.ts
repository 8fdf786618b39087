// Goal: a run of the tests that is ended leaves no guest that burns on, whoever ends it and however. Method: a run of a test
// that never ends, on QEMU alone and on libvirt, is told to end, or killed; what there is of it is looked for among all
// processes. What it cannot see: guests on other machines.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, onTestFinished, test } from "vitest";
import { endAll, guestsOf, processesOf } from "./leftovers.ts";
import { RUN_VARIABLE } from "./test-run.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** Runs tests beside the run that this is part of. */
function runTests(...args: string[]) {
  const env = { ...process.env, BOOTWRIGHT_REAL_TESTS: "test/support/burning.ts" };
  Reflect.deleteProperty(env, RUN_VARIABLE);
  const child = spawn(process.execPath, ["scripts/test.ts", ...args], {
    cwd: root,
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  const listening = new Set<() => void>();
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
      for (const look of listening) look();
    });
  }
  /** The end of the process; its output ends later, since what it has started holds that open. */
  const ended = once(child, "exit").then(([code]) => code as number | null);
  const said = (text: string) =>
    new Promise<void>((resolve, reject) => {
      listening.add(() => output.includes(text) && resolve());
      void ended.then(() => reject(new Error(`it ended: ${output}`)));
    });
  return { child, ended, said };
}

/** Starts a run of its own whose guests are on. Returns its processes and guests. */
async function burning() {
  const { child, ended, said } = runTests("burning");
  const isIts = (run: string) => run.startsWith(`${child.pid}-`);
  onTestFinished(async () => void (await endAll(isIts)));
  await said("BURNING");
  const emulators = processesOf(isIts).filter((pid) =>
    readFileSync(`/proc/${pid}/comm`, "utf8").startsWith("qemu-sys"),
  );
  expect([emulators.length, await guestsOf(isIts)]).toEqual([2, [expect.stringMatching(/burning$/)]]);
  return { child, ended, left: async () => ({ processes: processesOf(isIts), guests: await guestsOf(isIts) }) };
}

const nothing = { processes: [], guests: [] };

describe("a run of the tests", { timeout: 600_000 }, () => {
  test("that is told to end ends what it has started, and then itself", async () => {
    const { child, ended, left } = await burning();
    child.kill("SIGTERM");
    expect(await ended).toBe(143);
    expect(await left()).toEqual(nothing);
  });

  test("that is killed leaves its guests to the next run, which ends them and says so", async () => {
    const { child, ended, left } = await burning();
    child.kill("SIGKILL");
    await ended;
    expect((await left()).guests).toHaveLength(1);
    const next = runTests("--unit", "no test has this name");
    await next.said("an earlier run of the tests was killed");
    expect(await left()).toEqual(nothing);
    await next.ended;
  });
});
