import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import { expect, test } from "vitest";
import { runTool } from "../../src/images/tool.ts";
import { directory, refusalOf } from "./fixture.ts";

const limits = { timeoutMs: 60_000 };

test("runTool() gives arguments as they are, in a small environment, with English messages", async () => {
  const argument = "$(touch /tmp/x); `id` ' \" \n";
  expect((await runTool("printf", ["%s", argument], limits)).stdout).toBe(argument.slice(0, -1));
  const { stdout } = await runTool("env", [], limits);
  expect(
    stdout
      .split("\n")
      .map((line) => line.split("=")[0])
      .sort(),
  ).toEqual(["LC_ALL", "PATH", "TMPDIR"]);
  expect(stdout).toContain("LC_ALL=C");
});

test("runTool() refuses with IMAGE_TOOL_FAILED: missing program, failure, time limit", async () => {
  const missing = await refusalOf(runTool("no-such-program", [], limits));
  expect(missing).toMatchObject({ code: "IMAGE_TOOL_FAILED", details: { reason: "no-such-program is not installed" } });
  const failed = await refusalOf(runTool("ls", ["/no-such-file"], limits));
  expect(failed.details).toMatchObject({ command: "ls /no-such-file", reason: expect.stringMatching(/No such file/) });
  const slow = await refusalOf(runTool("sleep", ["3600"], { timeoutMs: 50 }));
  expect(slow.details).toMatchObject({ reason: "no end after 50 ms" });
});

test("runTool() takes stated exit codes for answers, and says when there is too much output", async () => {
  expect(await runTool("false", [], { ...limits, exitCodes: [1] })).toMatchObject({ exitCode: 1 });
  expect(await runTool("yes", [], { ...limits, outputBytesMax: 1_000 })).toMatchObject({ tooLong: true });
});

test("runTool() ends the program on abort, with the signal's reason", async () => {
  const signal = AbortSignal.timeout(50);
  await expect(runTool("sleep", ["3600"], { ...limits, signal })).rejects.toMatchObject({ name: "TimeoutError" });
  await expect(runTool("sleep", ["3600"], { ...limits, signal })).rejects.toMatchObject({ name: "TimeoutError" });
});

test("runTool() ends the program with this process, however that ends", async () => {
  const tool = new URL("../../src/images/tool.ts", import.meta.url).href;
  const code = `const { runTool } = await import(${JSON.stringify(tool)});
    await runTool("sh", ["-c", "echo $$ > " + process.argv[1] + "; exec sleep 3600"], { timeoutMs: 3_600_000 });`;
  const path = join(directory(), "pid");
  const parent = execa(process.execPath, ["--input-type=module-typescript", "-e", code, path], { reject: false });
  await expect.poll(() => existsSync(path) && readFileSync(path, "utf8")).toMatch(/\d\n/);
  const pid = readFileSync(path, "utf8").trim();
  expect(readFileSync(`/proc/${pid}/cmdline`, "utf8")).toMatch(/^(sleep|sh)/);
  parent.kill("SIGKILL");
  await parent;
  await expect.poll(() => isRunning(pid)).toBe(false);
});

/** A process that has ended stays in the table until its new parent has asked for its end. */
const isRunning = (pid: string): boolean =>
  existsSync(`/proc/${pid}/stat`) && !readFileSync(`/proc/${pid}/stat`, "utf8").includes(") Z ");
