/** A real MCP client on a real Bootwright process, for the tests and the quickstart. */
import { fileURLToPath } from "node:url";
import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import type { Answers } from "../../src/tools/catalogue.ts";

/** The era of the protocol: the oldest, which has a handshake, or the newest, which has none. */
export type Era = "legacy" | "2026-07-28";

export type Refusal = Readonly<{
  code: string;
  message: string;
  hint: string;
  next: string | null;
  details: Record<string, unknown>;
  outcome?: Record<string, unknown>;
}>;

/** The error of a tool call that was refused. */
export class Refused extends Error {
  readonly refusal: Refusal;
  constructor(refusal: Refusal, text: string) {
    super(text);
    this.refusal = refusal;
  }
}

export type CallOptions = Readonly<{
  signal?: AbortSignal;
  onprogress?: (progress: { progress: number; total?: number | undefined; message?: string | undefined }) => void;
  timeoutMs?: number;
}>;

export type BootwrightClient = Readonly<{
  client: Client;
  /** Calls a tool. @throws Refused */
  call: <Name extends keyof Answers>(
    tool: Name,
    args?: Record<string, unknown>,
    options?: CallOptions,
  ) => Promise<Answers[Name]>;
  /** Returns the call's refusal; undefined when it was not refused. */
  refusal: (tool: string, args?: Record<string, unknown>, options?: CallOptions) => Promise<Refusal | undefined>;
  text: (tool: string, args?: Record<string, unknown>) => Promise<string>;
  stderr: () => string;
  pid: () => number | null;
  close: () => Promise<void>;
}>;

export type ClientOptions = Readonly<{
  /** Settings of the server, as flags. */
  settings: readonly string[];
  era?: Era;
  /** Answers for the user; a client without this cannot ask. */
  confirm?: (message: string) => boolean;
  /** The program that runs the server; this Node by default. */
  command?: readonly string[];
  env?: Readonly<Record<string, string>>;
}>;

export const serverPath = fileURLToPath(new URL("../../src/main.ts", import.meta.url));
const REFUSAL_META = "dev.bootwright/error";
const CALL_LIMIT_MS = 180_000;

export async function openClient({
  settings,
  era = "2026-07-28",
  confirm,
  command = [process.execPath, serverPath],
  env = {},
}: ClientOptions): Promise<BootwrightClient> {
  const client = new Client(
    { name: "bootwright-test", version: "1" },
    {
      capabilities: confirm ? { elicitation: { form: {} } } : {},
      ...(era !== "legacy" && { versionNegotiation: { mode: { pin: era } } }),
    },
  );
  if (confirm) {
    client.setRequestHandler("elicitation/create", async ({ params }) =>
      confirm(params.message) ? { action: "accept", content: { confirm: true } } : { action: "decline" },
    );
  }
  const [program, ...rest] = command;
  const transport = new StdioClientTransport({
    command: program!,
    args: [...rest, ...settings],
    stderr: "pipe",
    env: { ...(process.env as Record<string, string>), ...env },
  });
  let stderr = "";
  transport.stderr?.on("data", (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  await client.connect(transport);
  const raw = (tool: string, args: Record<string, unknown> = {}, options: CallOptions = {}) => {
    const { signal, onprogress, timeoutMs = CALL_LIMIT_MS } = options;
    const request = {
      timeout: timeoutMs,
      resetTimeoutOnProgress: true,
      ...(signal && { signal }),
      ...(onprogress && { onprogress }),
    };
    return client.callTool({ name: tool, arguments: args }, request);
  };
  const textOf = (result: { content?: unknown }) =>
    ((result.content ?? []) as { type: string; text?: string }[]).map(({ text }) => text ?? "").join("\n");
  return {
    client,
    async call(tool, args, options) {
      const result = await raw(tool, args, options);
      if (result.isError) throw new Refused(result._meta?.[REFUSAL_META] as Refusal, textOf(result));
      return result.structuredContent as Answers[typeof tool];
    },
    async refusal(tool, args, options) {
      const { isError, _meta } = await raw(tool, args, options);
      return isError ? (_meta?.[REFUSAL_META] as Refusal) : undefined;
    },
    text: async (tool, args) => textOf(await raw(tool, args)),
    stderr: () => stderr,
    pid: () => transport.pid,
    close: () => client.close(),
  };
}
