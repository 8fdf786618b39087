// Runs all tests: vitest on Node (guests on real QEMU and libvirt, and all other tests beside them), and the scripts of
// test/deno on Deno. What failed is named once more at the end, and the last line it prints is the sum. Arguments are vitest's
// filters, and: --unit, only what is quick and starts nothing; --no-hypervisor, all but the guests; --full, the long runs at their full
// length (hours). What a run leaves behind, a killed one too, is ended by it or by the next.

import { readdir, readFile, rm } from "node:fs/promises";
import { constants, setPriority, tmpdir } from "node:os";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { stripVTControlCharacters } from "node:util";
import { execa } from "execa";
import { endAll, endLeftovers, guestsOf } from "../test/support/leftovers.ts";
import { newRun, RUN_VARIABLE } from "../test/support/test-run.ts";

type Project = "unit" | "slow" | "real";
type Sum = { passed: number; failed: number; skipped: number; failures: string[]; files: FileTime[] };
type FileTime = { name: string; ms: number };

const root = fileURLToPath(new URL("..", import.meta.url));
const bin = (name: string) => join(root, "node_modules/.bin", name);
const options = ["--unit", "--no-hypervisor", "--full"] as const;
const has = (option: (typeof options)[number]) => process.argv.includes(option);
const filters = process.argv.slice(2).filter((argument) => !options.some((option) => option === argument));
const onlyUnit = has("--unit");
const hasGuests = !onlyUnit && !has("--no-hypervisor");

const run = newRun();
const isOwn = (other: string) => other === run;
let isEnding = false;
const figures = join(tmpdir(), `bootwright-tests-${process.pid}-figures.jsonl`);
const inherited = {
  cwd: root,
  stdin: "ignore",
  stderr: "inherit",
  reject: false,
  env: {
    [RUN_VARIABLE]: run,
    ...(has("--full") && { BOOTWRIGHT_RELIABILITY: "full", BOOTWRIGHT_FIGURES: figures }),
  },
} as const;

/** Of what runs beside guests: these go by the clock more than anything else does. */
const BESIDE_NICENESS = 5;
/** For a script of test/deno: emulated guests install and boot in some. */
const DENO_MS = 900_000;
const SLOWEST_SHOWN = 10;

/** What vitest counted. A file that cannot be loaded, and an error outside any test, are failures that it does not count. */
async function runVitest(projects: readonly Project[], isBeside = false): Promise<Sum> {
  const named = projects.join(" and ");
  const report = join(tmpdir(), `bootwright-tests-${process.pid}-${projects.join("-")}.json`);
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
  const chosen = projects.flatMap((project) => ["--project", project]);
  const args = ["run", ...chosen, ...reporters, "--passWithNoTests", ...filters];
  // Guests are told of as they come; what runs beside them in one piece.
  const running = execa(bin("vitest"), args, {
    ...inherited,
    ...(isBeside ? { all: true, stderr: "pipe" } : { stdout: "inherit" }),
  });
  if (isBeside && running.pid !== undefined) setPriority(running.pid, BESIDE_NICENESS);
  const ended = await untilEnding(running);
  if (isBeside) console.log(ended.all);
  try {
    const counted = JSON.parse(await readFile(report, "utf8")) as Report;
    const failures = counted.testResults.flatMap(failuresOf);
    if (failures.length === 0 && ended.exitCode !== 0)
      failures.push(`${named}: vitest ended with ${ended.exitCode}, outside any test`);
    return {
      passed: counted.numPassedTests,
      failed: failures.length,
      skipped: counted.numPendingTests + counted.numTodoTests,
      failures,
      files: counted.testResults.map(({ name, startTime, endTime }) => ({
        name: relative(root, name),
        ms: endTime - startTime,
      })),
    };
  } catch (error) {
    const failure = `${named}: vitest left no report: ${(error as Error).message}`;
    return { passed: 0, failed: 1, skipped: 0, failures: [failure], files: [] };
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
  startTime: number;
  endTime: number;
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
  const sum: Sum = { passed: 0, failed: 0, skipped: 0, failures: [], files: [] };
  const files = (await readdir(join(root, "test/deno")).catch(() => [])).filter((name) => name.endsWith(".ts")).sort();
  for (const name of files) {
    const path = join("test/deno", name);
    if (filters.length > 0 && !filters.some((filter) => path.includes(filter))) continue;
    const permissions = /^\/\/ deno run (.+)$/m
      .exec(await readFile(join(root, path), "utf8"))?.[1]
      ?.trim()
      .split(/\s+/);
    const since = performance.now();
    const ended = await untilEnding(
      execa(bin("deno"), ["run", "--no-prompt", ...(permissions ?? []), path], {
        ...inherited,
        timeout: DENO_MS,
        all: true,
        stderr: "pipe",
      }),
    );
    console.log(`\n Deno  ${path}\n${ended.all}`);
    sum.files.push({ name: path, ms: performance.now() - since });
    const passed = ended.stdout.split("\n").filter((line) => /^ok\b/.test(line)).length;
    sum.passed += passed;
    if (ended.exitCode === 0 && passed > 0) continue;
    sum.failed += 1;
    sum.failures.push(
      ended.timedOut
        ? `${path}: was ended after ${DENO_MS / 1000} s`
        : `${path}: ended with ${ended.exitCode}, ${passed} ok`,
    );
  }
  return sum;
}

/** What the work comes to, unless this run is being ended: then nothing goes on from here. */
async function untilEnding<T>(work: Promise<T>): Promise<T> {
  const result = await work;
  return isEnding ? new Promise<never>(() => {}) : result;
}

/** Tests end what they have started. What one left behind would go on running, so it is named and ended here. */
async function endOwnLeftovers(): Promise<void> {
  const guests = hasGuests ? await guestsOf(isOwn) : [];
  const { processes } = await endAll(isOwn);
  for (const name of guests) console.warn(`warning: a test left the guest ${name} behind; it is removed`);
  if (processes > 0) console.warn(`warning: tests left ${processes} processes behind; they are ended`);
}

async function printFigures(): Promise<void> {
  const lines = (await readFile(figures, "utf8").catch(() => "")).split("\n").filter(Boolean);
  if (lines.length > 0) console.log("\nFigures:");
  for (const { name, value } of lines.map((line) => JSON.parse(line))) console.log(`  ${name}: ${value}`);
  await rm(figures, { force: true });
}

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(signal, () => {
    if (isEnding) return;
    isEnding = true;
    console.error(`ended by ${signal}`);
    void endAll(isOwn).finally(() => process.exit(128 + constants.signals[signal]));
  });
}

await endLeftovers();
// Once, before several tests at a time would build it.
if (!onlyUnit) await execa(process.execPath, [join(root, "scripts/page.ts")], { cwd: root, stdio: "inherit" });
const sums = await Promise.all(
  onlyUnit
    ? [runVitest(["unit"])]
    : [...(hasGuests ? [runVitest(["real"])] : []), runVitest(["slow", "unit"], hasGuests), runDeno()],
);
await endOwnLeftovers();
await printFigures();

const slowest = sums.flatMap(({ files }) => files).sort((one, other) => other.ms - one.ms);
for (const { name, ms } of slowest.slice(0, SLOWEST_SHOWN))
  console.log(`${(ms / 1000).toFixed(1).padStart(7)} s  ${name}`);
for (const failure of sums.flatMap(({ failures }) => failures)) console.log(`Failed: ${failure}`);
const total = (key: "passed" | "failed" | "skipped") => sums.reduce((all, sum) => all + sum[key], 0);
const skipped = total("skipped") > 0 ? `, ${total("skipped")} skipped` : "";
if (total("passed") + total("failed") === 0) console.error("No test ran.");
process.exitCode = total("failed") > 0 || total("passed") === 0 ? 1 : 0;
console.log(`${total("passed")} passed, ${total("failed")} failed${skipped}`);
