/** Many hostile calls to one real server, each judged by what its answer must be. */
import { inspect } from "node:util";
import fc from "fast-check";
import { expect } from "vitest";
import { MESSAGE_BYTES_MAX } from "../../src/serve/mcp/bounded-lines.ts";
import { nextTool } from "../../src/tools/respond.ts";
import type { BootwrightClient } from "../support/client.ts";
import type { Pools } from "./hostile-pools.ts";
import { callOf, fits, type HostileCall, type ToolSchema } from "./hostile-values.ts";

export type Tally = {
  calls: number;
  codes: Map<string, number>;
  slowest: { ms: number; call: string };
  largest: { bytes: number; call: string };
};

export type RunOptions = Readonly<{
  server: BootwrightClient;
  calls: number;
  seed: number;
  pools: Pools;
  bait: string;
  /** The number of calls under way at one time. */
  workers: number;
  /** The longest that a call may take, in milliseconds. */
  callLimitMs: number;
  /** Changes a call before it is made. */
  adapt?: (call: HostileCall) => HostileCall;
}>;

export type Answer = Readonly<{
  isError?: boolean;
  structuredContent?: Record<string, unknown>;
  _meta?: Record<string, unknown>;
}>;

/** The codes that no argument may lead to: a change whose end nobody knows, or one that did not do what was asked. */
const neverCodes = ["OUTCOME_UNKNOWN", "ROLLBACK_FAILED", "GOAL_NOT_REACHED", "STORE_CORRUPT", "STORE_UNAVAILABLE"];

const shown = ({ tool, args, how }: HostileCall) =>
  `${tool} (${how}) ${inspect(args, { depth: 2, maxStringLength: 100, maxArrayLength: 5, breakLength: Infinity }).slice(0, 600)}`;

export const newSeed = () => Number(process.env.BOOTWRIGHT_SEED ?? Date.now() % 2 ** 31);

export async function runHostileCalls(options: RunOptions): Promise<Tally> {
  const { server, calls, seed, pools, bait, workers, callLimitMs, adapt = (call) => call } = options;
  console.log(`hostile calls: seed ${seed} (BOOTWRIGHT_SEED=${seed} makes the same calls)`);
  const { tools } = (await server.client.listTools()) as unknown as { tools: ToolSchema[] };
  const perTool = Math.min(8, Math.ceil(calls / tools.length));
  const batches = Math.ceil(calls / tools.length / perTool);
  const schemas = new Map(tools.map(({ name, inputSchema }) => [name, inputSchema]));
  const tally: Tally = { calls: 0, codes: new Map(), slowest: { ms: 0, call: "" }, largest: { bytes: 0, call: "" } };

  async function make(raw: HostileCall): Promise<void> {
    const call = adapt(raw);
    const started = performance.now();
    const answer = await server.client
      .callTool({ name: call.tool, arguments: call.args as Record<string, unknown> }, { timeout: callLimitMs })
      .catch((cause: unknown): Answer => {
        // A message beyond the bound reaches no tool: the protocol's error carries the refusal.
        const { data } = cause as { data?: { code?: string } };
        if (data?.code === "MESSAGE_TOO_LARGE") return { isError: true, _meta: { "dev.bootwright/error": data } };
        throw new Error(`seed ${seed}: no answer to ${shown(call)}: ${String(cause)}`, { cause });
      });
    const ms = performance.now() - started;
    const code = codeOf(answer as Answer);
    tally.calls += 1;
    tally.codes.set(code, (tally.codes.get(code) ?? 0) + 1);
    if (ms > tally.slowest.ms) tally.slowest = { ms, call: shown(call) };
    const about = `seed ${seed}: ${shown(call)} -> ${JSON.stringify(answer).slice(0, 1_500)}`;
    const bytes = JSON.stringify(answer).length;
    if (bytes > tally.largest.bytes) tally.largest = { bytes, call: shown(call) };
    expect(code === "done" || code in nextTool, about).toBe(true);
    expect(neverCodes, about).not.toContain(code);
    // An argument named __proto__ is left out by the protocol's parser: it never reaches a tool.
    const { ["__proto__"]: _left, ...args } = call.args as Record<string, unknown>;
    if (code === "MESSAGE_TOO_LARGE") {
      expect(JSON.stringify(call.args).length, about).toBeGreaterThan(MESSAGE_BYTES_MAX - 10_000);
      return;
    }
    const right = fits(schemas.get(call.tool)!, args);
    // What the schema cannot say (one of two is wanted, or two do not go together) is told in the same way.
    if (!right || !["adopt_vm", "start_vm"].includes(call.tool)) expect(code === "INPUT_INVALID", about).toBe(!right);
    pools.onAnswer(call, answer as Answer);
  }

  // In batches, since what is known to the server, and so what calls are about, grows with what they do.
  for (let batch = 0; batch < batches; batch++) {
    await pools.refresh();
    const numRuns = perTool;
    const drawn = tools.flatMap((tool, index) =>
      fc.sample(callOf(tool, pools.known, bait), { numRuns, seed: seed + batch * tools.length + index }),
    );
    const queue = fc.sample(fc.shuffledSubarray(drawn, { minLength: drawn.length }), {
      numRuns: 1,
      seed: seed + batch,
    })[0]!;
    const worker = async () => {
      for (let call = queue.pop(); call; call = queue.pop()) await make(call);
    };
    await Promise.all(Array.from({ length: workers }, worker));
  }
  return tally;
}

function codeOf({ isError, structuredContent, _meta }: Answer): string {
  if (!isError) return structuredContent === undefined ? "neither an answer nor a refusal" : "done";
  return (_meta?.["dev.bootwright/error"] as { code?: string } | undefined)?.code ?? "a refusal without a code";
}

export const tallied = ({ codes }: Tally) =>
  [...codes]
    .sort((a, b) => b[1] - a[1])
    .map(([code, count]) => `${code} ${count}`)
    .join(", ");
