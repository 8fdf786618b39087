import { appendFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { expectNoLine, serialEnd, serialLines, waitForLine } from "./guest.ts";

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "bootwright-guest-"));
});
afterAll(() => rm(dir, { recursive: true }));

test("waitForLine() waits for the whole line, without what moves the cursor", async () => {
  const log = join(dir, "whole.log");
  await writeFile(log, "\x1b[2J\x1b[01;01HBdsDxe: starting\r\nINSTALL-COMPLETE run=1");
  const line = waitForLine(log, /^INSTALL-COMPLETE run=(\d+)$/, { timeoutMs: 5000 });
  await appendFile(log, "2\r\nnext\r\n");
  expect((await line).match[1]).toBe("12");
  expect((await serialLines(log)).map(({ text }) => text)).toEqual([
    "BdsDxe: starting",
    "INSTALL-COMPLETE run=12",
    "next",
  ]);
});

test("waitForLine() looks behind `after`, and from the beginning when a cold start has emptied the log", async () => {
  const log = join(dir, "after.log");
  await writeFile(log, "boot 1\nboot 2\n");
  const first = await waitForLine(log, /^boot/);
  expect((await waitForLine(log, /^boot/, { after: first.end })).text).toBe("boot 2");
  const after = await serialEnd(log);
  await writeFile(log, "boot 3\n");
  expect((await waitForLine(log, /^boot/, { after })).text).toBe("boot 3");
});

test("waitForLine() fails with what the guest said instead", async () => {
  const log = join(dir, "silent.log");
  await writeFile(log, "INSTALL-FAILED: no disk found\r\n/ # ");
  await expect(waitForLine(log, /COMPLETE/, { timeoutMs: 60 })).rejects.toThrow(
    /0.06 s .*no disk found\n {2}\| \/ #$/s,
  );
  await expect(waitForLine(join(dir, "none"), /x/, { timeoutMs: 0 })).rejects.toThrow("never started");
  expect((await waitForLine(log, /^\/ #/, { unfinished: true })).text).toBe("/ #");
});

test("expectNoLine() fails only if the line comes", async () => {
  const log = join(dir, "no.log");
  await writeFile(log, "CD-BIOS\r\n");
  await expectNoLine(log, /DISK/, 60);
  await expect(expectNoLine(log, /CD/, 60)).rejects.toThrow("CD-BIOS");
});
