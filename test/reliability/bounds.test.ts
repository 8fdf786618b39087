// Goal: nothing that a caller or a hypervisor does makes the server grow, wait or talk without an end. Method: more than each
// bound allows is asked of a real server process, which has to answer with a code that names the bound, and to go on.

// @module-tag process
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, onTestFinished, test } from "vitest";
import { readLimits } from "../../src/plugin-host/bind-calls.ts";
import * as serve from "../../src/serve/limits.ts";
import { ANSWER_BYTES_MAX, CALLS_MAX, limitProgress, PROGRESS_PER_SECOND_MAX } from "../../src/serve/limits.ts";
import { MESSAGE_BYTES_MAX, UNREAD_BYTES_MAX } from "../../src/serve/mcp/bounded-lines.ts";
import { schemasOf } from "../../src/serve/mcp/server.ts";
import { CLAIM_WAITERS_MAX } from "../../src/store/claims.ts";
import { CONFIRMATIONS_MAX } from "../../src/store/confirmations.ts";
import { DELIVERIES_DEAD_MAX, DELIVERIES_WAITING_MAX as DELIVERIES_MAX } from "../../src/store/deliveries.ts";
import { defaultRetention, UNSERVED_MS, UNTOLD_MAX } from "../../src/store/retention.ts";
import { allTools } from "../../src/tools/catalogue.ts";
import { callLimitMs } from "../../src/tools/tool.ts";
import { type Message, openRaw, type RawServer } from "../serve/raw.ts";
import type { Refusal } from "../support/client.ts";
import { memorySettings, temporaryDirectory } from "../support/memory.ts";
import { figure, scaled } from "../support/scale.ts";
import { vmDefinition } from "../support/world.ts";

const MIB = 2 ** 20;

/** The bounds as they are documented, with what happens beyond each, which the tests below provoke. */
const bounds: readonly (readonly [name: string, is: number, documented: number, unit: string, beyond: string])[] = [
  ["calls under way in one server process", CALLS_MAX, 256, "calls", "SERVER_BUSY, at once"],
  ["callers of one process that wait for one VM", CLAIM_WAITERS_MAX, 32, "callers", "VM_BUSY, at once"],
  ["one message to the server", MESSAGE_BYTES_MAX, 1_048_576, "bytes", "MESSAGE_TOO_LARGE, and the line is dropped"],
  ["answers that the client has not read", UNREAD_BYTES_MAX, 8_388_608, "bytes", "no further request is read"],
  ["one answer", ANSWER_BYTES_MAX, 8_388_608, "bytes", "ANSWER_TOO_LARGE"],
  ["progress of one call in one second", PROGRESS_PER_SECOND_MAX, 20, "messages", "the rest is dropped"],
  ["sessions over HTTP", serve.SESSIONS_MAX, 200, "sessions", "the one that was idle longest ends"],
  ["a session that nobody uses", serve.SESSION_IDLE_MS, 1_800_000, "ms", "it ends"],
  ["what a session keeps", serve.REPLAY_BYTES_MAX, 262_144, "bytes", "the oldest goes"],
  ["streams over HTTP", serve.STREAMS_MAX, 200, "streams", "refused in the answer"],
  ["what those are told about", serve.STREAM_URIS_MAX, 20_000, "resources", "refused in the answer"],
  ["what one stream over HTTP has unread", serve.STREAM_UNREAD_BYTES_MAX, 16 * MIB, "bytes", "it is cut off"],
  ["what all of those have unread", serve.STREAMS_UNREAD_BYTES_MAX, 128 * MIB, "bytes", "the next is cut off"],
  ["one look at a VM or an image", readLimits.short, 90_000, "ms", "BACKEND_UNAVAILABLE"],
  ["a list, or the check of a whole image", readLimits.long, 330_000, "ms", "BACKEND_UNAVAILABLE"],
  ["a call that looks", callLimitMs.read, 30_000, "ms", "BACKEND_UNAVAILABLE, or what is on record"],
  ["a call that looks at everything, or through an image", callLimitMs.scan, 330_000, "ms", "BACKEND_UNAVAILABLE"],
  ["a call until its change has begun", callLimitMs.change, 330_000, "ms", "BACKEND_UNAVAILABLE"],
  ["a call about several VMs", callLimitMs.each, 3_600_000, "ms", "the rest is left for another call"],
  ["history of one VM", defaultRetention.operationsPerVm, 200, "operations", "the oldest that have ended go"],
  ["history of all VMs", defaultRetention.operations, 50_000, "operations", "the same, but ten of each VM stay"],
  ["definitions kept of one VM", defaultRetention.definitionsPerVm, 20, "definitions", "the oldest go"],
  ["events", defaultRetention.events, 10_000, "events", "the oldest go, unless a plugin has still to be told"],
  ["events that a plugin has still to be told", UNTOLD_MAX, 100_000, "events", "the oldest go, and it is not told"],
  ["the place of a plugin that nobody runs", UNSERVED_MS, 2_592_000_000, "ms", "it is forgotten"],
  ["deliveries that wait for one plugin", DELIVERIES_MAX, 10_000, "deliveries", "it is told nothing new"],
  ["dead letters of one plugin", DELIVERIES_DEAD_MAX, 1_000, "deliveries", "the oldest go"],
  ["confirmations offered", CONFIRMATIONS_MAX, 1_000, "tokens", "those that expire first go"],
];

test.each(bounds)("%s: the bound is the one that is documented", (name, is, documented, unit, beyond) => {
  figure(`bounds: ${name}`, `${is} ${unit}; beyond it: ${beyond}`);
  expect(is).toBe(documented);
});

const code = ({ result }: Message) =>
  (result as { _meta?: Record<string, Refusal> } | undefined)?._meta?.["dev.bootwright/error"]?.code;
const answers = (server: RawServer): Message[] => server.lines.map((line) => JSON.parse(line) as Message);
const rssMib = (pid: number) =>
  Math.round(Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))![1]) / 1024);

async function open(...more: string[]): Promise<RawServer> {
  const server = await openRaw([...memorySettings(temporaryDirectory(), "installsAfterMs=never"), ...more]);
  onTestFinished(() => void server.process.kill("SIGKILL"));
  return server;
}

/** Waits for the answers to these requests, and returns them. */
async function answered(server: RawServer, ids: readonly number[], limitMs = 60_000): Promise<Map<number, Message>> {
  const wanted = new Set(ids);
  for (const until = performance.now() + limitMs; performance.now() < until; await sleep(50)) {
    const found = answers(server).filter(({ id }) => id !== undefined && wanted.has(id));
    if (found.length === ids.length) return new Map(found.map((message) => [message.id!, message]));
  }
  throw new Error(`Of ${ids.length} answers some are missing`);
}

describe("one message", () => {
  test("of 100 MB is refused with MESSAGE_TOO_LARGE, and the calls around it are answered", async () => {
    const server = await open();
    await server.call("create_vm", { name: "web" });
    const { stdin } = server.process;
    const before = rssMib(server.process.pid!);
    const length = scaled(100, 30) * MIB;
    // Clients put the id at either end.
    for (const [head, tail] of [
      ['{"jsonrpc":"2.0","id":901,"method":"tools/call","params":{"name":"get_vm","arguments":{"vm":"', '"}}}\n'],
      [
        '{"method":"tools/call","params":{"name":"get_vm","arguments":{"id":1,"vm":"',
        '"}},"jsonrpc":"2.0","id":902}\n',
      ],
    ] as const) {
      stdin.write(head);
      for (let sent = 0; sent < length; sent += MIB) {
        if (!stdin.write("x".repeat(MIB))) await new Promise((resolve) => stdin.once("drain", resolve));
      }
      stdin.write(tail);
    }
    expect((await server.call("get_vm", { vm: "web" })).result?.structuredContent).toMatchObject({ name: "web" });
    const refused = await answered(server, [901, 902]);
    for (const { error } of refused.values()) {
      expect(error).toMatchObject({
        code: -32600,
        data: { code: "MESSAGE_TOO_LARGE", details: { bytesMax: MESSAGE_BYTES_MAX } },
      });
    }
    const grown = rssMib(server.process.pid!) - before;
    figure(`bounds: growth of the process by two messages of ${length / MIB} MiB`, `${grown} MiB`);
    expect(grown).toBeLessThan(100);
  });

  test("just within the bound is read", async () => {
    const server = await open();
    const pad = "x".repeat(MESSAGE_BYTES_MAX - 200);
    const answer = await server.ask("tools/call", { name: "list_vms", arguments: {}, _meta: { pad } });
    expect(answer.result?.structuredContent).toMatchObject({ total: 0 });
  });

  test("of any depth or with any number of names is refused as input, shortly", async () => {
    const server = await open();
    const deep = `${"[".repeat(100_000)}${"]".repeat(100_000)}`;
    const many = Array.from({ length: 20_000 }, (_, index) => `"name${index}":1`).join();
    const send = (id: number, tool: string, args: string) =>
      server.process.stdin.write(
        `{"jsonrpc":"2.0","id":${id},"method":"tools/call","params":{"name":"${tool}","arguments":{${args}}}}\n`,
      );
    send(901, "get_vm", `"vm":${deep}`);
    send(902, "get_vm", `"vm":"web","accept":${deep}`);
    send(903, "get_vm", `"vm":"web",${many}`);
    send(904, "x".repeat(500_000), "");
    send(905, "list_operations", `"status":${JSON.stringify(Array(20_000).fill("no"))}`);
    const refused = await answered(server, [901, 902, 903, 904, 905]);
    expect([...refused.values()].map(code).sort()).toEqual(
      [...Array(4).fill("INPUT_INVALID"), "TOOL_NOT_FOUND"].sort(),
    );
    for (const line of server.lines.slice(1)) expect(line.length).toBeLessThan(30_000);
    expect(server.stderr()).toBe("");
  });
});

describe("calls", () => {
  test("beyond what is under way at one time are refused with SERVER_BUSY, and beyond one VM's queue with VM_BUSY", async () => {
    const server = await open("--claim-wait", "3");
    const vms = Math.ceil(CALLS_MAX / (CLAIM_WAITERS_MAX + 1)) + 1;
    for (let index = 0; index < vms; index++) {
      await server.call("create_vm", { name: `vm${index}`, iso_path: "installer.iso" });
      await server.call("start_vm", { vm: `vm${index}` });
    }
    // Each waits for an installer, which ignores the power button, or for the one that waits for it.
    const flood = scaled(5_000, 1_500);
    const ids = Array.from({ length: flood }, (_, index) => 1_000 + index);
    const from = performance.now();
    for (const id of ids) {
      const vm = id < 1_000 + 2 * CLAIM_WAITERS_MAX ? "vm0" : `vm${id % vms}`;
      const args = { vm, timeout_seconds: 2 };
      server.send({ id, method: "tools/call", params: { name: "stop_vm", arguments: args } });
    }
    const messages = [...(await answered(server, ids)).values()];
    const counted = Object.groupBy(messages, (message) => code(message) ?? "done");
    const amounts = Object.entries(counted).map(([name, some]) => `${name} ${some!.length}`);
    figure(`bounds: a flood of ${flood} calls`, amounts.join(", "));
    figure("bounds: until all of the flood was answered", `${Math.round(performance.now() - from)} ms`);
    expect(Object.keys(counted).sort()).toEqual(["SERVER_BUSY", "SHUTDOWN_TIMED_OUT", "VM_BUSY"]);
    const refusals = messages.map(
      ({ result }) => (result as unknown as { _meta: Record<string, Refusal> })._meta["dev.bootwright/error"]!,
    );
    expect(refusals.find((refusal) => refusal.code === "SERVER_BUSY")).toMatchObject({ details: { calls: CALLS_MAX } });
    expect(refusals.some(({ details }) => details.waitingMax === CLAIM_WAITERS_MAX)).toBe(true);
    // What came in vain did not stay.
    expect((await server.call("get_vm", { vm: "vm0" })).result?.structuredContent).toMatchObject({ power: "running" });
  });
});

describe("answers", () => {
  test("that their client does not read keep the server from reading more of it", async () => {
    const server = await open();
    const before = rssMib(server.process.pid!);
    server.process.stdout.pause();
    const asked = scaled(10_000, 2_000);
    const _meta = { pad: "x".repeat(4_000) };
    for (let id = 1_000; id < 1_000 + asked; id++) server.send({ id, method: "tools/list", params: { _meta } });
    await expect.poll(() => server.process.stdin.writableLength).toBeGreaterThan(0);
    // Nothing shows that a server reads no more: it gets the time in which it could.
    await sleep(2_000);
    const grown = rssMib(server.process.pid!) - before;
    figure(`bounds: growth of the process by ${asked} answers of 70 kB that nobody reads`, `${grown} MiB`);
    // Whoever asks for more has to wait; 32 lines are taken at one time.
    expect(server.process.stdin.writableLength).toBeGreaterThan(0);
    expect(grown).toBeLessThan((UNREAD_BYTES_MAX / MIB) * 4 + 60);
    server.process.stdout.resume();
    await expect.poll(() => server.lines.length, { timeout: 60_000 }).toBe(asked + 1);
  });

  test("stay below what the SDK's client takes, with 5,000 VMs", async () => {
    const directory = temporaryDirectory();
    const seed = join(directory, "seed.json");
    const vms = Array.from({ length: 5_000 }, (_, index) => {
      const uuid = `5e0a7a4e-54a5-4f0b-9d0c-${String(index).padStart(12, "0")}`;
      const next = vmDefinition();
      const path = `/memory/images/${uuid}.qcow2`;
      return { uuid, name: `vm-${index}`, next: { ...next, disks: next.disks.map((disk) => ({ ...disk, path })) } };
    });
    writeFileSync(seed, JSON.stringify({ vms }));
    const plugin = new URL("../support/seeded-plugin.ts", import.meta.url).pathname;
    const server = await openRaw(["--data", directory, "--connection", `local=${plugin},seed=${seed}`]);
    onTestFinished(() => void server.process.kill("SIGKILL"));
    const answer = await server.call("list_vms", { limit: 5_000 });
    const bytes = server.lines.at(-1)!.length;
    figure("bounds: the answer of list_vms with 5,000 VMs", `${bytes} bytes, ${code(answer) ?? "done"}`);
    expect(bytes).toBeLessThan(ANSWER_BYTES_MAX + 1_000);
    const shown = async (page: object) =>
      ((await server.call("list_vms", page)).result!.structuredContent as { vms: { uuid: string }[] }).vms;
    const pages = [];
    for (let offset = 0; offset < 6_000; offset += 1_000) pages.push(await shown({ offset, limit: 1_000 }));
    expect(pages.map(({ length }) => length)).toEqual([1_000, 1_000, 1_000, 1_000, 1_000, 0]);
    expect(new Set(pages.flat().map(({ uuid }) => uuid)).size).toBe(5_000);
    const unknown = (await server.ask("tools/call", { name: "get_vm", arguments: { vm: "vm" } })) as Message;
    expect(code(unknown)).toBe("VM_NOT_FOUND");
    expect(server.lines.at(-1)!.length).toBeLessThan(3_000);
  });
});

describe("progress", () => {
  test("of one call is sent so many times a second at most, and cut to a length", () => {
    let now = 0;
    const shown: string[] = [];
    const show = limitProgress(
      (message) => shown.push(message),
      () => now,
    );
    for (; now < 3_000; now++) show("x".repeat(10_000));
    expect(shown).toHaveLength(3 * PROGRESS_PER_SECOND_MAX);
    expect(shown.every(({ length }) => length === 500)).toBe(true);
  });
});

describe("inputs", () => {
  type Schema = Readonly<Record<string, unknown>>;
  /** Returns the paths of a schema's parts that have no bound. A pattern bounds a text where nothing in it repeats without
   * an end. */
  function endless(schema: unknown, path: string): string[] {
    if (Array.isArray(schema)) return schema.flatMap((part, index) => endless(part, `${path}[${index}]`));
    if (typeof schema !== "object" || schema === null) return [];
    const { type, enum: some, const: one, maxLength, pattern, maxItems, minimum, maximum, ...rest } = schema as Schema;
    const enumerated = some !== undefined || one !== undefined;
    const patterned = typeof pattern === "string" && /^\^.*\$$/.test(pattern) && !/[*+]|,\}/.test(pattern);
    const found = {
      string: !enumerated && maxLength === undefined && !patterned,
      array: maxItems === undefined,
      integer: minimum === undefined || maximum === undefined,
      number: minimum === undefined || maximum === undefined,
      object: rest.additionalProperties !== false,
    }[String(type)];
    const named = found && !enumerated ? [`${path}: ${type}`] : [];
    return [...named, ...Object.entries(rest).flatMap(([key, part]) => endless(part, `${path}/${key}`))];
  }

  test.each(allTools.map((tool) => [tool.name, tool] as const))(
    "of %s are bounded in length and in number",
    (name, tool) => {
      expect(endless(schemasOf(tool).inputSchema, name)).toEqual([]);
    },
  );

  test("that have no end are found", () => {
    const properties = { a: { type: "string" }, b: { type: "array", items: { type: "integer", minimum: 1 } } };
    const schema = { type: "object", additionalProperties: false, properties };
    expect(endless(schema, "x")).toEqual([
      "x/properties/a: string",
      "x/properties/b: array",
      "x/properties/b/items: integer",
    ]);
  });
});
