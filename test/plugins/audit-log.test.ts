// Goal: the audit log has every event once, in whole lines, whoever else writes it and whenever it ended. Method: the
// plugin's own functions on real files, several processes at once, files cut short as a full disk or a loss of power
// leaves them. What it cannot see: the host's delivery, and file systems without an atomic append (NFS).

// @module-tag process
import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
} from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { describe, expect, onTestFinished, test } from "vitest";
import plugin from "../../plugins/audit-log/index.ts";
import { openTrail } from "../../plugins/audit-log/trail.ts";
import { eventTypes, type FetchContext, ToolRefused } from "../../src/plugin.ts";
import { temporaryDirectory } from "../support/memory.ts";
import { anEvent, openPlugin } from "../support/plugin-function.ts";

const filesIn = (directory: string) => readdirSync(directory).sort();
const textOf = (directory: string) =>
  filesIn(directory)
    .map((name) => readFileSync(join(directory, name), "utf8"))
    .join("");
type Line = Record<string, unknown>;
const linesOf = (directory: string): Line[] =>
  textOf(directory)
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Line);

async function opened(directory: string, settings: Record<string, string> = {}, call?: FetchContext["call"]) {
  const log = await openPlugin(plugin, { directory, ...settings }, call);
  onTestFinished(log.close);
  return log;
}
const modeOf = (path: string) => (statSync(path).mode & 0o777).toString(8);

describe("an event", () => {
  test("is one line, in a file for the owner alone", async () => {
    const directory = join(temporaryDirectory(), "audit");
    const event = anEvent("media.attached");
    await (await opened(directory)).deliver(event);
    const { id, time, type, source, subject, data } = event;
    expect(linesOf(directory)).toEqual([{ id, time, type, source, vm: subject, data }]);
    expect([modeOf(directory), modeOf(join(directory, "audit-000001.jsonl"))]).toEqual(["700", "600"]);
  });

  test.each(eventTypes)("of type %s has a function", (type) => {
    expect(plugin.on![type]).toBeTypeOf("function");
  });

  test("of an operation says who asked for what, when, and how it ended", async () => {
    const directory = temporaryDirectory();
    const asked: unknown[] = [];
    const operation = { tool: "attach_iso", actor: "mcp:test 1", status: "applied", begun_at: "a", settled_at: "b" };
    const call: FetchContext["call"] = async (...args) => {
      asked.push(args);
      return { ...operation, operation: "op-1", before: { name: "web" }, steps: [] };
    };
    await (await opened(directory, {}, call)).deliver(anEvent("media.attached", { data: { operation: "op-1" } }));
    expect(asked).toEqual([["get_operation", { operation: "op-1" }]]);
    expect(linesOf(directory)[0]!.operation).toEqual({ id: "op-1", ...operation, steps: [] });
  });

  test("of an operation that is not on record any more is written all the same", async () => {
    const directory = temporaryDirectory();
    const gone = () => Promise.reject(new ToolRefused("OPERATION_NOT_FOUND", "Cannot find it", {}));
    await (await opened(directory, {}, gone)).deliver(anEvent("media.attached", { data: { operation: "op-1" } }));
    expect(linesOf(directory)[0]!.operation).toEqual({ id: "op-1", not_found: "OPERATION_NOT_FOUND" });
  });

  test("is not written while nobody can say whose operation it was, so that it comes again", async () => {
    const directory = temporaryDirectory();
    const closing = () => Promise.reject(new Error("the host is closing"));
    const log = await opened(directory, {}, closing);
    await expect(log.deliver(anEvent("vm.created", { data: { operation: "op-1" } }))).rejects.toThrow("is closing");
    expect(filesIn(directory)).toEqual([]);
  });

  test("with data without bounds is cut, and says so", async () => {
    const directory = temporaryDirectory();
    await (await opened(directory)).deliver(anEvent("disk.io_error", { data: { text: "x".repeat(100_000) } }));
    const [line] = linesOf(directory);
    expect(line).not.toHaveProperty("data");
    expect(line!.cut_bytes).toBeGreaterThan(100_000);
  });

  test("with a line break in it stays one line", async () => {
    const directory = temporaryDirectory();
    await (await opened(directory)).deliver(anEvent("disk.io_error", { data: { text: "a\nb\u2028c" } }));
    expect(textOf(directory).split("\n")).toHaveLength(2);
  });
});

describe("an event that comes again", () => {
  test("is written once", async () => {
    const directory = temporaryDirectory();
    const log = await opened(directory);
    const event = anEvent();
    for (const each of [event, anEvent(), event]) await log.deliver(each);
    expect(linesOf(directory)).toHaveLength(2);
  });

  test("after a restart is known, in the present file and the one before it", async () => {
    const directory = temporaryDirectory();
    const events = Array.from({ length: 40 }, () => anEvent("vm.started", { data: { text: "x".repeat(200) } }));
    const first = await opened(directory, { "max-bytes": "10000" });
    for (const event of events) await first.deliver(event);
    expect(filesIn(directory)).toHaveLength(2);
    const second = await opened(directory, { "max-bytes": "10000" });
    for (const event of events) await second.deliver(event);
    expect(linesOf(directory).map(({ id }) => id)).toEqual(events.map(({ id }) => id));
  });

  test("to another process is known", async () => {
    const directory = temporaryDirectory();
    const [one, other] = [await opened(directory), await opened(directory)];
    const event = anEvent();
    await other.deliver(anEvent());
    await one.deliver(event);
    await other.deliver(event);
    expect(linesOf(directory)).toHaveLength(2);
  });
});

describe("files", () => {
  test("are begun anew when they are full, and only the newest stay", () => {
    const directory = temporaryDirectory();
    const trail = openTrail({ directory, maxBytes: 1_000, keep: 3 });
    const line = (id: string) => JSON.stringify({ id, filling: "x".repeat(300) });
    for (let index = 0; index < 20; index++) trail.append(String(index), line(String(index)));
    expect(filesIn(directory)).toEqual(["audit-000005.jsonl", "audit-000006.jsonl", "audit-000007.jsonl"]);
    for (const name of filesIn(directory)) expect(statSync(join(directory, name)).size).toBeLessThanOrEqual(1_000);
    expect(linesOf(directory).map(({ id }) => id)).toEqual(["12", "13", "14", "15", "16", "17", "18", "19"]);
  });

  test("cut short in a line go on with a new one", () => {
    const directory = temporaryDirectory();
    const options = { directory, maxBytes: 10_000, keep: 2 };
    openTrail(options).append("a", '{"id":"a"}');
    appendFileSync(join(directory, "audit-000001.jsonl"), '{"id":"b","da');
    const trail = openTrail(options);
    expect(trail.append("c", '{"id":"c"}')).toBe(true);
    expect(trail.append("b", '{"id":"b"}')).toBe(true);
    expect(textOf(directory)).toBe('{"id":"a"}\n{"id":"b","da\n{"id":"c"}\n{"id":"b"}\n');
  });

  test("that somebody removed are made again", () => {
    const directory = join(temporaryDirectory(), "audit");
    const trail = openTrail({ directory, maxBytes: 10_000, keep: 2 });
    trail.append("a", '{"id":"a"}');
    rmSync(directory, { recursive: true });
    expect(trail.append("b", '{"id":"b"}')).toBe(true);
    expect(textOf(directory)).toBe('{"id":"b"}\n');
  });

  test("are not written through a symbolic link", () => {
    const directory = temporaryDirectory();
    mkdirSync(join(directory, "elsewhere"));
    symlinkSync(join(directory, "elsewhere", "file"), join(directory, "audit-000001.jsonl"));
    const trail = openTrail({ directory, maxBytes: 10_000, keep: 2 });
    expect(() => trail.append("a", '{"id":"a"}')).toThrow("ELOOP");
    expect(filesIn(join(directory, "elsewhere"))).toEqual([]);
  });

  test("on a file system that is full fail, and have the line once there is room", async () => {
    const directory = temporaryDirectory();
    const limited = `ulimit -f 1; trap '' XFSZ; exec ${process.execPath} ${script} ${directory} 100000 full 60 < /dev/null`;
    const { exitCode, stderr } = await execa("bash", ["-c", limited], { reject: false });
    expect(exitCode).not.toBe(0);
    expect(stderr).toMatch(/EFBIG|disk is full/);
    const trail = openTrail({ directory, maxBytes: 100_000, keep: 2 });
    expect(trail.append("later", '{"id":"later"}')).toBe(true);
    expect(textOf(directory)).toMatch(/\n\{"id":"later"\}\n$/);
  });
});

const script = fileURLToPath(new URL("audit-log-process.ts", import.meta.url));

test("processes that write at once never mix their lines, lose none, and keep to the size", async () => {
  const directory = temporaryDirectory();
  chmodSync(directory, 0o700);
  const [maxBytes, count] = [10_000, 300];
  const names = ["a", "b", "c", "d"];
  const processes = names.map((name) =>
    execa(process.execPath, [script, directory, String(maxBytes), name, String(count)], { stdin: "pipe" }),
  );
  await Promise.all(processes.map((one) => new Promise((ready) => one.stdout.once("data", ready))));
  for (const one of processes) one.stdin.end();
  const outputs = await Promise.all(processes);
  expect(outputs.map(({ stdout }) => stdout.split("\n").at(-1))).toEqual(names.map(() => String(count)));
  const wanted = names.flatMap((name) => Array.from({ length: count }, (_, index) => `${name}:${index}`));
  expect(
    linesOf(directory)
      .map(({ id }) => id)
      .sort(),
  ).toEqual(wanted.sort());
  const sizes = filesIn(directory).map((name) => statSync(join(directory, name)).size);
  expect(sizes.length).toBeGreaterThan(15);
  // Each process may add the line that it had decided on.
  for (const size of sizes) expect(size).toBeLessThan(maxBytes + names.length * 800);
});
