import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import { expect, test } from "vitest";
import { runProgram } from "../../src/host-access/run-program.ts";
import { directory, refusalOf } from "../images/fixture.ts";

const limits = { timeoutMs: 60_000 };

test("runProgram() gives arguments as they are, in a small environment, with English messages", async () => {
  const argument = "$(touch /tmp/x); `id` ' \" \n";
  expect((await runProgram("printf", ["%s", argument], limits)).stdout).toBe(argument.slice(0, -1));
  const { stdout } = await runProgram("env", [], limits);
  expect(
    stdout
      .split("\n")
      .map((line) => line.split("=")[0])
      .sort(),
  ).toEqual(["LC_ALL", "PATH", "TMPDIR"]);
  expect(stdout).toContain("LC_ALL=C");
});

test("runProgram() refuses with IMAGE_TOOL_FAILED: missing program, failure, time limit", async () => {
  const missing = await refusalOf(runProgram("no-such-program", [], limits));
  expect(missing).toMatchObject({ code: "IMAGE_TOOL_FAILED", details: { reason: "no-such-program is not installed" } });
  const failed = await refusalOf(runProgram("ls", ["/no-such-file"], limits));
  expect(failed.details).toMatchObject({ command: "ls /no-such-file", reason: expect.stringMatching(/No such file/) });
  const slow = await refusalOf(runProgram("sleep", ["10"], { timeoutMs: 50 }));
  expect(slow.details).toMatchObject({ reason: "it did not end within 50 ms" });
});

test("runProgram() takes stated exit codes for answers, and says when there is too much output", async () => {
  expect(await runProgram("false", [], { ...limits, exitCodes: [1] })).toMatchObject({ exitCode: 1 });
  expect(await runProgram("yes", [], { ...limits, outputBytesMax: 1_000 })).toMatchObject({ tooLong: true });
});

test("runProgram() ends the program on abort, with the signal's reason", async () => {
  const started = Date.now();
  const signal = AbortSignal.timeout(50);
  await expect(runProgram("sleep", ["10"], { ...limits, signal })).rejects.toMatchObject({ name: "TimeoutError" });
  await expect(runProgram("sleep", ["10"], { ...limits, signal })).rejects.toMatchObject({ name: "TimeoutError" });
  expect(Date.now() - started).toBeLessThan(9_000);
});

test("runProgram() ends the program with this process, however that ends", { timeout: 30_000 }, async () => {
  const tool = new URL("../../src/host-access/run-program.ts", import.meta.url).href;
  const code = `const { runProgram } = await import(${JSON.stringify(tool)});
    await runProgram("sh", ["-c", "echo $$ > " + process.argv[1] + "; exec sleep 20"], { timeoutMs: 60_000 });`;
  const path = join(directory(), "pid");
  const parent = execa(process.execPath, ["--input-type=module-typescript", "-e", code, path], { reject: false });
  await expect.poll(() => existsSync(path) && readFileSync(path, "utf8"), { timeout: 20_000 }).toMatch(/\d\n/);
  const pid = readFileSync(path, "utf8").trim();
  // Between two programs a process has no command line.
  await expect.poll(() => readFileSync(`/proc/${pid}/cmdline`, "utf8")).toMatch(/^(sleep|sh)/);
  parent.kill("SIGKILL");
  await parent;
  await expect.poll(() => isRunning(pid), { timeout: 10_000 }).toBe(false);
});

/** A process that has ended stays in the table until its new parent has asked for its end. */
const isRunning = (pid: string): boolean =>
  existsSync(`/proc/${pid}/stat`) && !readFileSync(`/proc/${pid}/stat`, "utf8").includes(") Z ");
