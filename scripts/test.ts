// Runs all tests: vitest on Node (guests on real libvirt, and unit tests beside them), and the scripts of test/deno on Deno.
// What failed is named once more at the end, and the last line it prints is the sum. Arguments are vitest's filters;
// --no-hypervisor leaves the guests out.

import { readdir, readFile, rm } from "node:fs/promises";
import { setPriority, tmpdir } from "node:os";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { stripVTControlCharacters } from "node:util";
import { execa } from "execa";
import { guestPrefix, testRun } from "../test/support/guest-names.ts";

type Sum = { passed: number; failed: number; skipped: number; failures: string[] };

const root = fileURLToPath(new URL("..", import.meta.url));
const bin = (name: string) => join(root, "node_modules/.bin", name);
const noHypervisor = process.argv.includes("--no-hypervisor");
const filters = process.argv.slice(2).filter((argument) => argument !== "--no-hypervisor");
const inherited = {
  cwd: root,
  stdin: "ignore",
  stderr: "inherit",
  reject: false,
  env: { BOOTWRIGHT_TEST_RUN: testRun },
} as const;

const UNIT_NICENESS = 5;
/** For a script of test/deno: emulated guests install and boot in some. */
const DENO_MS = 600_000;

/** What vitest counted. A file that cannot be loaded, and an error outside any test, are failures that it does not count. */
async function runVitest(project: "unit" | "real"): Promise<Sum> {
  const report = join(tmpdir(), `bootwright-tests-${process.pid}-${project}.json`);
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
  const args = ["run", "--project", project, ...reporters, "--passWithNoTests", ...filters];
  // Guests are mostly waited for, and what is told of them is told as it comes. Unit tests have what they leave of the
  // processors, and are told of in one piece.
  const isBeside = project === "unit" && !noHypervisor;
  const running = execa(bin("vitest"), args, {
    ...inherited,
    ...(isBeside ? { all: true, stderr: "pipe" } : { stdout: "inherit" }),
  });
  if (isBeside && running.pid !== undefined) setPriority(running.pid, UNIT_NICENESS);
  const run = await running;
  if (isBeside) console.log(run.all);
  try {
    const counted = JSON.parse(await readFile(report, "utf8")) as Report;
    const failures = counted.testResults.flatMap(failuresOf);
    if (failures.length === 0 && run.exitCode !== 0)
      failures.push(`${project}: vitest ended with ${run.exitCode}, outside any test`);
    return {
      passed: counted.numPassedTests,
      failed: failures.length,
      skipped: counted.numPendingTests + counted.numTodoTests,
      failures,
    };
  } catch (error) {
    const failure = `${project}: vitest left no report: ${(error as Error).message}`;
    return { passed: 0, failed: 1, skipped: 0, failures: [failure] };
  } finally {
    await rm(report, { force: true });
  }
}

/** What vitest's JSON reporter writes, as far as it is read here. */
type Report = { numPassedTests: number; numPendingTests: number; numTodoTests: number; testResults: FileReport[] };
type FileReport = {
  name: string;
  status: string;
  message: string;
  assertionResults: { fullName: string; status: string; failureMessages: string[] }[];
};

/** A line for each test of a file that failed, or for the file where it could not be loaded. */
function failuresOf(file: FileReport): string[] {
  const name = relative(root, file.name);
  const failed = file.assertionResults.filter((test) => test.status === "failed");
  if (file.status === "failed" && failed.length === 0) return [`${name}: ${firstLine(file.message)}`];
  return failed.map((test) => `${name} > ${test.fullName}: ${firstLine(test.failureMessages[0] ?? "")}`);
}

const firstLine = (text: string) => stripVTControlCharacters(text).trim().split("\n", 1)[0]!.slice(0, 300);

/**
 * Runs each script of test/deno. It prints `ok NAME` for what works and exits non-zero otherwise; the permissions it needs
 * stand in a comment of its own, `// deno run --allow-read ...`, and it gets no others.
 */
async function runDeno(): Promise<Sum> {
  const sum: Sum = { passed: 0, failed: 0, skipped: 0, failures: [] };
  const files = (await readdir(join(root, "test/deno")).catch(() => [])).filter((name) => name.endsWith(".ts")).sort();
  for (const name of files) {
    const path = join("test/deno", name);
    if (filters.length > 0 && !filters.some((filter) => path.includes(filter))) continue;
    const permissions = /^\/\/ deno run (.+)$/m
      .exec(await readFile(join(root, path), "utf8"))?.[1]
      ?.trim()
      .split(/\s+/);
    console.log(`\n Deno  ${path}`);
    const run = await execa(bin("deno"), ["run", "--no-prompt", ...(permissions ?? []), path], {
      ...inherited,
      timeout: DENO_MS,
      stdout: ["inherit", "pipe"],
    });
    const passed = run.stdout.split("\n").filter((line) => /^ok\b/.test(line)).length;
    sum.passed += passed;
    if (run.exitCode === 0 && passed > 0) continue;
    sum.failed += 1;
    sum.failures.push(
      run.timedOut
        ? `${path}: was ended after ${DENO_MS / 1000} s`
        : `${path}: ended with ${run.exitCode}, ${passed} ok`,
    );
  }
  return sum;
}

/** The guests that this run has on the machine's libvirt; undefined where there is none. */
async function ownGuests(): Promise<string[] | undefined> {
  const list = await execa("virsh", ["-q", "-c", "qemu:///system", "list", "--all", "--name"], {
    reject: false,
    timeout: 30_000,
    env: { LC_ALL: "C" },
  });
  if (list.exitCode !== 0) return undefined;
  return list.stdout.split("\n").filter((name) => name.startsWith(guestPrefix));
}

/** Tests remove their guests. Those that one left behind would go on running, so they are named and ended here. */
async function removeLeftovers(): Promise<void> {
  for (const name of (await ownGuests()) ?? []) {
    console.warn(`warning: a test left the guest ${name} behind; it is removed`);
    const virsh = (...args: string[]) => execa("virsh", ["-q", "-c", "qemu:///system", ...args], { reject: false });
    await virsh("destroy", name);
    await virsh("undefine", name, "--nvram", "--managed-save", "--snapshots-metadata");
  }
}

const vitest = noHypervisor ? [runVitest("unit")] : [runVitest("real"), runVitest("unit")];
const sums = [...(await Promise.all(vitest)), await runDeno()];
if (!noHypervisor) await removeLeftovers();

for (const failure of sums.flatMap(({ failures }) => failures)) console.log(`Failed: ${failure}`);
const total = (key: Exclude<keyof Sum, "failures">) => sums.reduce((all, sum) => all + sum[key], 0);
const skipped = total("skipped") > 0 ? `, ${total("skipped")} skipped` : "";
if (total("passed") + total("failed") === 0) console.error("No test ran.");
process.exitCode = total("failed") > 0 || total("passed") === 0 ? 1 : 0;
console.log(`${total("passed")} passed, ${total("failed")} failed${skipped}`);
