import { appendFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { endingEvent, eventsIn, lastEvents, readEvents } from "../../../plugins/qemu/event-log.ts";
import { occurrenceOf, thresholdIn } from "../../../plugins/qemu/watch.ts";
import { temporaryDirectory } from "../../support/memory.ts";

const line = (event: string, data: object = {}) =>
  `${JSON.stringify({ timestamp: { seconds: 1_700_000_000, microseconds: 250_000 }, event, data })}\r\n`;
const begun = '{"QMP": {"version": {}, "capabilities": []}}\r\n{"return": {}}\r\n';
const names = (events: readonly { event: string }[]) => events.map(({ event }) => event);
const log = (text?: string) => {
  const path = join(temporaryDirectory(), "events.out");
  if (text !== undefined) writeFileSync(path, text);
  return path;
};

describe("eventsIn()", () => {
  it("takes events alone, with their time in milliseconds", () => {
    expect(eventsIn(begun + line("RESET", { guest: true }))).toEqual([
      { event: "RESET", data: { guest: true }, atMs: 1_700_000_000_250 },
    ]);
  });
  it("leaves out a line that its writer did not come to the end of", () => {
    expect(names(eventsIn(`${line("STOP")}{"event": "RES`))).toEqual(["STOP"]);
  });
});

describe("lastEvents()", () => {
  it("is undefined where there was no run", async () => {
    expect(await lastEvents(log())).toBeUndefined();
  });
  it("has the end of a long log, and what was written for QEMU", async () => {
    const path = log(line("RTC_CHANGE").repeat(5_000) + line("STOP"));
    appendFileSync(path, endingEvent("host-signal"));
    const events = (await lastEvents(path))!;
    expect(names(events).slice(-2)).toEqual(["STOP", "SHUTDOWN"]);
    expect(events.at(-1)!.data).toEqual({ guest: false, reason: "host-signal" });
  });
});

describe("readEvents()", () => {
  it("reads on where it was, whole lines alone", async () => {
    const path = log(begun);
    const reader = readEvents(path);
    expect(await reader.read()).toEqual({ events: [], more: true });
    expect(await reader.read()).toEqual({ events: [], more: false });
    const text = line("STOP");
    appendFileSync(path, text.slice(0, 20));
    expect(await reader.read()).toEqual({ events: [], more: false });
    appendFileSync(path, text.slice(20) + line("RESUME"));
    expect(names((await reader.read()).events)).toEqual(["STOP", "RESUME"]);
  });
  it("begins anew with another run's file, and has nothing to say while there is none", async () => {
    const path = log(begun + line("SHUTDOWN"));
    const reader = readEvents(path);
    await reader.read();
    rmSync(path);
    expect(await reader.read()).toEqual({ events: [], more: false });
    writeFileSync(path, begun + line("RESET"));
    expect(names((await reader.read()).events)).toEqual(["RESET"]);
  });
  it("reads more than a piece at once", async () => {
    expect(names((await readEvents(log(line("RTC_CHANGE").repeat(3_000))).read()).events)).toHaveLength(3_000);
  });
});

describe("occurrenceOf()", () => {
  const of = (event: string, data: Record<string, unknown>) => occurrenceOf({ event, data, atMs: 0 }, "run-1");
  it("is a reboot where the guest reset itself, and none where the host did", () => {
    expect(of("RESET", { guest: true, reason: "guest-reset" })).toEqual({ type: "rebooted", run: "run-1" });
    expect(of("SHUTDOWN", { guest: true, reason: "guest-reset" })).toEqual({ type: "rebooted", run: "run-1" });
    expect(of("SHUTDOWN", { guest: true, reason: "guest-shutdown" })).toBeUndefined();
    expect(of("RESET", { guest: false, reason: "host-qmp-system-reset" })).toBeUndefined();
  });
  it("is an I/O error with its disk and why", () => {
    const data = { "node-name": "disk-vda", nospace: true, reason: "No space left on device" };
    const error = { type: "io_error", run: "run-1" };
    expect(of("BLOCK_IO_ERROR", data)).toEqual({ ...error, target: "vda", reason: "enospc" });
    expect(of("BLOCK_IO_ERROR", { "node-name": "#block103", reason: "Input/output error" })).toEqual({
      ...error,
      reason: "Input/output error",
    });
  });
  it("is nothing at any other event", () => {
    expect(of("STOP", {})).toBeUndefined();
  });
});

describe("thresholdIn()", () => {
  const of = (event: string, node: string) =>
    thresholdIn({ event, data: { "node-name": node, "amount-exceeded": 512, "write-threshold": 4096 }, atMs: 0 });
  it("names the disk whose file was written to beyond it", () => {
    expect(of("BLOCK_WRITE_THRESHOLD", "file-vda")).toEqual({
      target: "vda",
      thresholdBytes: 4096n,
      excessBytes: 512n,
    });
  });
  it("is nothing of a node that is no disk's file, and at any other event", () => {
    expect(of("BLOCK_WRITE_THRESHOLD", "#block103")).toBeUndefined();
    expect(of("BLOCK_IO_ERROR", "file-vda")).toBeUndefined();
  });
});
