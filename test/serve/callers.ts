/** The clients that real hosts are built on, one beside the other: both eras of the SDK's second generation, and its first
 * one, which most hosts still have. */
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { Client as FirstClient } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport as FirstTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport as FirstHttpTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js";
import { ElicitRequestSchema } from "@modelcontextprotocol/sdk/types.js";
import { type CallOptions, type Refusal, serverPath } from "../support/client.ts";
import { type Reads, readsOfFirst, readsOfSecond } from "./reads.ts";

export type Result = Readonly<{
  isError?: boolean;
  text: string;
  structuredContent?: Record<string, unknown>;
  refusal?: Refusal;
}>;
export type Listed = Readonly<{
  name: string;
  inputSchema: object;
  outputSchema?: object;
  annotations?: Record<string, unknown>;
}>;

/** What its user answers; `content` is what was filled in. */
export type Answer = Readonly<{ action: "accept" | "decline" | "cancel"; content?: Record<string, boolean> }>;
export type Asked = (message: string) => Answer;

/** Where a server is that others use too. */
export type At = Readonly<{ url: string; token: string }>;

/** A client on a server process of its own, or over HTTP. `call` gives what came back, refusals included, after the client's own
 * validation against the tool's output schema. */
export type Caller = Readonly<{
  protocol: () => string | undefined;
  instructions: () => string | undefined;
  serverName: () => string | undefined;
  tools: () => Promise<Listed[]>;
  call: (name: string, args?: Record<string, unknown>, options?: CallOptions) => Promise<Result>;
  reads: Reads;
  close: () => Promise<void>;
}>;
export type CallerOptions = Readonly<{
  /** Settings of its own server process, or where the server is. */
  settings: readonly string[] | At;
  asked?: Asked;
  capabilities?: object;
}>;

export type Generation = keyof typeof generations;

const info = { name: "interop", version: "1.0" };
const environment = process.env as Record<string, string>;
const isAt = (settings: CallerOptions["settings"]): settings is At => "url" in settings;
const placeOf = ({ url, token }: At) =>
  [new URL(`${url}/mcp`), { requestInit: { headers: { authorization: `Bearer ${token}` } } }] as const;
const processOf = (settings: readonly string[]) => ({
  command: process.execPath,
  args: [serverPath, ...settings],
  stderr: "inherit" as const,
  env: environment,
});
const capabilitiesOf = ({ asked, capabilities }: CallerOptions) =>
  capabilities ?? (asked ? { elicitation: { form: {} } } : {});

type Raw = Readonly<{
  isError?: unknown;
  content?: unknown;
  structuredContent?: unknown;
  _meta?: Record<string, unknown> | undefined;
}>;
function resultOf({ isError, content, structuredContent, _meta }: Raw): Result {
  const text = ((content ?? []) as { text?: string }[]).map((part) => part.text ?? "").join("\n");
  const refusal = _meta?.["dev.bootwright/error"] as Refusal | undefined;
  return {
    text,
    ...(isError === true && { isError }),
    ...(structuredContent !== undefined && { structuredContent: structuredContent as Record<string, unknown> }),
    ...(refusal && { refusal }),
  };
}
const requestOf = ({ signal, onprogress, timeoutMs = 30_000 }: CallOptions = {}) => ({
  timeout: timeoutMs,
  ...(signal && { signal }),
  ...(onprogress && { onprogress }),
});

async function second(pin: string | undefined, options: CallerOptions): Promise<Caller> {
  const client = new Client(info, {
    capabilities: capabilitiesOf(options),
    ...(pin !== undefined && { versionNegotiation: { mode: { pin } } }),
  });
  const { asked } = options;
  if (asked) client.setRequestHandler("elicitation/create", async ({ params }) => asked(params.message));
  const { settings } = options;
  await client.connect(
    isAt(settings)
      ? new StreamableHTTPClientTransport(...placeOf(settings))
      : new StdioClientTransport(processOf(settings)),
  );
  return {
    protocol: () => client.getNegotiatedProtocolVersion(),
    instructions: () => client.getInstructions(),
    serverName: () => client.getServerVersion()?.name,
    tools: async () => (await client.listTools()).tools as Listed[],
    call: async (name, args = {}, more) => resultOf(await client.callTool({ name, arguments: args }, requestOf(more))),
    reads: readsOfSecond(client, pin !== undefined),
    close: () => client.close(),
  };
}

async function first(version: string, options: CallerOptions): Promise<Caller> {
  const client = new FirstClient(info, { capabilities: capabilitiesOf(options) });
  const { asked } = options;
  if (asked) client.setRequestHandler(ElicitRequestSchema, async ({ params }) => asked(params.message));
  const { settings } = options;
  const transport = (
    isAt(settings) ? new FirstHttpTransport(...placeOf(settings)) : new FirstTransport(processOf(settings))
  ) as Transport;
  let protocol: string | undefined;
  transport.setProtocolVersion = (agreed) => {
    protocol = agreed;
  };
  const send = transport.send.bind(transport);
  transport.send = (message) => {
    const opening = "method" in message && message.method === "initialize";
    return send(opening ? { ...message, params: { ...message.params, protocolVersion: version } } : message);
  };
  await client.connect(transport);
  return {
    protocol: () => protocol,
    instructions: () => client.getInstructions(),
    serverName: () => client.getServerVersion()?.name,
    tools: async () => (await client.listTools()).tools as Listed[],
    call: async (name, args = {}, more) =>
      resultOf(await client.callTool({ name, arguments: args }, undefined, requestOf(more))),
    reads: readsOfFirst(client),
    close: () => client.close(),
  };
}

export const generations = {
  "2026-07-28": (options: CallerOptions) => second("2026-07-28", options),
  "2025-11-25, second SDK": (options: CallerOptions) => second(undefined, options),
  "2025-11-25, first SDK": (options: CallerOptions) => first("2025-11-25", options),
  "2025-06-18, first SDK": (options: CallerOptions) => first("2025-06-18", options),
};
