// Goal: no line on stdin can make the server end, hang, or answer what MCP does not have. Method: lines that a client's
// library would never send, to a real server process; after each the server answers an honest call. What cannot be seen:
// which of them a given host's own library would let through.

import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { nextTool } from "../../src/tools/respond.ts";
import { serverPath } from "../support/client.ts";
import { memorySettings, temporaryDirectory } from "../support/memory.ts";
import { figure, scaled } from "../support/scale.ts";
import { newSeed } from "./hostile-run.ts";

type Reply = {
  id?: unknown;
  result?: { isError?: boolean; _meta?: { "dev.bootwright/error"?: { code?: string } }; structuredContent?: unknown };
  error?: { code: number; message: string; data?: { code?: string } };
};

const ANSWER_LIMIT_MS = 30_000;
const DEEP = 100_000;

/** A server with nothing between it and the test: text in, whole lines out. */
function openWire() {
  const child = spawn(process.execPath, [serverPath, ...memorySettings(temporaryDirectory("file"))], { stdio: "pipe" });
  const waiting = new Map<unknown, (reply: Reply) => void>();
  const strays: string[] = [];
  let stderr = "";
  child.stderr.on("data", (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  createInterface({ input: child.stdout }).on("line", (line) => {
    const reply = JSON.parse(line) as Reply;
    const answer = waiting.get(reply.id);
    waiting.delete(reply.id);
    if (answer) answer(reply);
    else strays.push(line);
  });
  const answered = (id: unknown, line: string | Buffer) =>
    new Promise<Reply>((resolve, reject) => {
      const failed = (why: string) =>
        reject(new Error(`${why} after ${String(line).slice(0, 300)}; stderr: ${stderr}`));
      const limit = setTimeout(() => failed("no answer"), ANSWER_LIMIT_MS);
      const ended = () => failed("the server ended");
      child.once("exit", ended);
      waiting.set(id, (reply) => {
        clearTimeout(limit);
        child.off("exit", ended);
        resolve(reply);
      });
      child.stdin.write(line);
      child.stdin.write("\n");
    });
  return { child, answered, strays, stderr: () => stderr, write: (line: string | Buffer) => child.stdin.write(line) };
}

/** Method not found, invalid params, internal error: the last is what the protocol's library says of a bad introduction. */
const protocolCodes = [-32601, -32602, -32603];
let asked = 0;
const request = (id: unknown, method: string, params?: unknown) =>
  JSON.stringify({ jsonrpc: "2.0", id, method, ...(params !== undefined && { params }) });
/** Writes a call with its arguments as they are: JSON that no object becomes. */
const callText = (id: number, tool: string, args: string) =>
  `{"jsonrpc":"2.0","id":${id},"method":"tools/call","params":{"name":${JSON.stringify(tool)},"arguments":${args}}}`;

describe("Lines that no client's library would send", () => {
  let wire: ReturnType<typeof openWire>;
  beforeAll(async () => {
    wire = openWire();
    const clientInfo = { name: "hostile", version: "1" };
    await wire.answered(0, request(0, "initialize", { protocolVersion: "2025-11-25", capabilities: {}, clientInfo }));
    wire.write(`${JSON.stringify({ jsonrpc: "2.0", method: "notifications/initialized" })}\n`);
  });
  afterAll(() => wire.child.kill());

  async function stillServes(about: string): Promise<void> {
    const id = ++asked;
    const reply = await wire.answered(id, request(id, "tools/call", { name: "list_vms", arguments: {} }));
    expect(reply.result?.structuredContent, about).toMatchObject({ total: 0 });
  }

  const unanswerable: [name: string, line: () => string | Buffer][] = [
    ["nothing", () => ""],
    ["no JSON", () => "hello"],
    ["half of JSON", () => '{"jsonrpc":"2.0",'],
    ["a number", () => "7"],
    ["null", () => "null"],
    ["a list", () => "[]"],
    ["a list of nothing", () => "[null,7,{}]"],
    ["an object", () => "{}"],
    ["another version", () => '{"jsonrpc":"1.0","id":900001,"method":"ping"}'],
    ["no method", () => '{"jsonrpc":"2.0","params":{}}'],
    ["an id that is an object", () => '{"jsonrpc":"2.0","id":{},"method":"ping"}'],
    ["an id that is null", () => '{"jsonrpc":"2.0","id":null,"method":"ping"}'],
    ["a method that is a number", () => '{"jsonrpc":"2.0","id":900002,"method":7}'],
    ["an answer that nobody waits for", () => '{"jsonrpc":"2.0","id":900003,"result":{}}'],
    ["an error that nobody waits for", () => '{"jsonrpc":"2.0","id":900004,"error":{"code":1,"message":"x"}}'],
    ["a notification of nothing", () => '{"jsonrpc":"2.0","method":"notifications/none"}'],
    [
      "the end of a call that is not there",
      () => '{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":77}}',
    ],
    ["the end of a call without its id", () => '{"jsonrpc":"2.0","method":"notifications/cancelled","params":{}}'],
    ["bytes that are no UTF-8", () => Buffer.from([0x22, 0xff, 0xfe, 0x80, 0x22])],
    ["NULs", () => Buffer.alloc(4096)],
    ["lists 100,000 deep", () => "[".repeat(DEEP)],
    ["lists 100,000 deep, closed", () => "[".repeat(DEEP) + "]".repeat(DEEP)],
    ["8 MB of text", () => `"${"x".repeat(8 << 20)}"`],
    ["11 MB of text, which is more than the protocol's library takes", () => "x".repeat(11 << 20)],
    // The protocol's library takes these for no message at all, and so answers nothing.
    ["params that are a list", () => request(900_006, "tools/call", [])],
    ["_meta that is a text", () => request(900_007, "tools/call", { name: "list_vms", arguments: {}, _meta: "x" })],
    [
      "a progress token that is an object",
      () => request(900_008, "tools/call", { name: "list_vms", _meta: { progressToken: {} } }),
    ],
    ["a __proto__", () => '{"jsonrpc":"2.0","__proto__":{"method":"ping"},"id":900005}'],
  ];
  test.each(unanswerable)("are survived: %s", async (name, line) => {
    wire.write(line());
    wire.write("\n");
    await stillServes(name);
  });

  const answerable: [string, (id: number) => string][] = [
    ["an unknown method", (id) => request(id, "vms/destroy")],
    ["a method of the prototype", (id) => request(id, "__proto__")],
    ["a call of nothing", (id) => request(id, "tools/call")],

    ["a tool's name that is a number", (id) => request(id, "tools/call", { name: 7, arguments: {} })],
    ["arguments that are a text", (id) => request(id, "tools/call", { name: "list_vms", arguments: "vm=web" })],
    ["arguments that are a list", (id) => request(id, "tools/call", { name: "list_vms", arguments: [] })],
    ["arguments that are null", (id) => callText(id, "list_vms", "null")],

    ["an unknown tool", (id) => request(id, "tools/call", { name: "constructor", arguments: {} })],
    ["a tool's name of 1 MB", (id) => request(id, "tools/call", { name: "x".repeat(1 << 20), arguments: {} })],
    ["resources, which there are none of", (id) => request(id, "resources/read", { uri: "file:///etc/passwd" })],
    [
      "an answer to a question that was not asked",
      (id) =>
        request(id, "tools/call", {
          name: "delete_vm",
          arguments: { vm: "x" },
          inputResponses: { confirm: { action: "accept", content: { confirm: true } } },
          requestState: "forged",
        }),
    ],
    [
      "a second introduction",
      (id) => request(id, "initialize", { protocolVersion: "9999-99-99", capabilities: {}, clientInfo: {} }),
    ],
    ["arguments 10,000 deep", (id) => callText(id, "get_vm", `{"vm":${"[".repeat(10_000)}${"]".repeat(10_000)}}`)],
    ["arguments 100,000 deep", (id) => callText(id, "get_vm", `{"vm":${'{"a":'.repeat(DEEP)}1${"}".repeat(DEEP)}}`)],
    ["a number beyond all numbers", (id) => callText(id, "list_vms", '{"limit":1e999}')],
    ["a number with 100,000 digits", (id) => callText(id, "list_vms", `{"limit":${"9".repeat(DEEP)}}`)],
    ["an argument given twice", (id) => callText(id, "list_vms", '{"limit":1,"limit":"x"}')],
    ["half a surrogate pair", (id) => callText(id, "get_vm", '{"vm":"\\ud800"}')],
    [
      "100,000 wrong items",
      (id) =>
        request(id, "tools/call", {
          name: "attach_iso",
          arguments: { vm: "x", iso_path: "x", accept: Array.from({ length: DEEP }, () => "X") },
        }),
    ],
    [
      "100,000 arguments too many",
      (id) =>
        request(id, "tools/call", {
          name: "list_vms",
          arguments: Object.fromEntries(Array.from({ length: DEEP }, (_, key) => [`k${key}`, key])),
        }),
    ],
    [
      "an argument's name of 1 MB",
      (id) => request(id, "tools/call", { name: "list_vms", arguments: { ["k".repeat(1 << 20)]: 1 } }),
    ],
  ];
  test.each(answerable)("are answered: %s", async (name, line) => {
    const id = ++asked;
    const reply = await wire.answered(id, line(id));
    // MCP's own codes are for what is no call at all; what is one is refused with ours.
    const own = reply.result?._meta?.["dev.bootwright/error"]?.code ?? reply.error?.data?.code;
    expect(
      own !== undefined ? own in nextTool : protocolCodes.includes(reply.error?.code ?? 0),
      JSON.stringify(reply),
    ).toBe(true);
    expect(JSON.stringify(reply).length, name).toBeLessThan(64 << 10);
    await stillServes(name);
  });

  test("are survived in any order and however they are cut up", async () => {
    const seed = newSeed();
    const pieces = fc.oneof(
      fc.json({ maxDepth: 3 }),
      fc.string({ unit: "binary" }),
      fc.constantFrom(...unanswerable.map(([, line]) => String(line()).slice(0, 1_000))),
      fc.json({ maxDepth: 2 }).map((args) => callText(++asked + 1_000_000, "get_vm", args)),
    );
    const lines = fc.sample(pieces, { numRuns: scaled(5_000, 500), seed });
    for (const [index, line] of lines.entries()) {
      const bytes = Buffer.from(`${line}\n`);
      const at = index % (bytes.length + 1);
      wire.write(bytes.subarray(0, at));
      wire.write(bytes.subarray(at));
      if (index % 100 === 99) await stillServes(`seed ${seed}, up to line ${index}`);
    }
    figure("hostile lines", lines.length + unanswerable.length + answerable.length);
  });

  test("leave no defect and no stack on stderr", () => {
    expect(wire.stderr()).not.toMatch(/defect|^\s+at /m);
  });
});
