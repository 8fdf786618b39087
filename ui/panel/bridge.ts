/** The panel's bridge to its host, the chat, and on to the tools: JSON-RPC over postMessage as in MCP Apps (2026-01-26).
 * Written by hand, since the protocol's own library is ten times as large as the whole panel. */
import {
  type Answers,
  type Arguments,
  type CallTool,
  type Refusal,
  Refused,
  type ToolName,
  unreachable,
} from "../api/tool.ts";

export type HostContext = Readonly<{ theme?: string; locale?: string }>;
export type ToolResult = Readonly<{
  isError?: boolean;
  content?: readonly Readonly<{ type: string; text?: string }>[];
  structuredContent?: Readonly<Record<string, unknown>>;
  _meta?: Readonly<Record<string, unknown>>;
}>;

export type Bridge = Readonly<{
  call: CallTool;
  /** Reports the panel's size to the host, in pixels. */
  reportSize: (width: number, height: number) => void;
}>;

const VERSION = "2026-01-26";
const REFUSAL_META = "dev.bootwright/error";
const METHOD_NOT_FOUND = -32_601;

type Message = Readonly<{
  jsonrpc?: string;
  id?: number | string;
  method?: string;
  params?: unknown;
  result?: unknown;
  error?: Readonly<{ message: string }>;
}>;

/** Completes the handshake with the host. `onResult` receives the answer of the tool that the panel is shown for. */
export async function openBridge(
  host: Window,
  handlers: { onContext: (context: HostContext) => void; onResult: (result: ToolResult) => void },
): Promise<Bridge> {
  const pending = new Map<number | string, { resolve: (value: unknown) => void; reject: (error: Error) => void }>();
  let lastId = 0;
  const post = (message: Message) => host.postMessage({ jsonrpc: "2.0", ...message }, "*");
  const request = (method: string, params: unknown): Promise<unknown> =>
    new Promise((resolve, reject) => {
      lastId += 1;
      pending.set(lastId, { resolve, reject });
      post({ id: lastId, method, params });
    });
  addEventListener("message", ({ source, data }: MessageEvent<Message>) => {
    if (source !== host || data?.jsonrpc !== "2.0") return;
    const { id, method, params } = data;
    if (method === undefined) {
      const caller = id === undefined ? undefined : pending.get(id);
      if (id !== undefined) pending.delete(id);
      if (data.error) caller?.reject(new Error(data.error.message));
      else caller?.resolve(data.result);
    } else if (method === "ui/notifications/tool-result") handlers.onResult(params as ToolResult);
    else if (method === "ui/notifications/host-context-changed") handlers.onContext(params as HostContext);
    else if (id !== undefined) {
      const isKnown = method === "ping" || method === "ui/resource-teardown";
      post({
        id,
        ...(isKnown ? { result: {} } : { error: { code: METHOD_NOT_FOUND, message: "Method not found" } as never }),
      });
    }
  });
  const greeting = { appInfo: { name: "bootwright", version: "1" }, appCapabilities: {}, protocolVersion: VERSION };
  const answer = (await request("ui/initialize", greeting)) as { hostContext?: HostContext };
  post({ method: "ui/notifications/initialized", params: {} });
  handlers.onContext(answer.hostContext ?? {});
  return {
    reportSize: (width, height) => post({ method: "ui/notifications/size-changed", params: { width, height } }),
    async call<Name extends ToolName>(name: Name, args: Arguments = {}): Promise<Answers[Name]> {
      const result = (await request("tools/call", { name, arguments: args }).catch(() => {
        throw unreachable();
      })) as ToolResult;
      if (result.isError !== true) return result.structuredContent as Answers[Name];
      throw new Refused(refusalFromResult(result));
    },
  };
}

/** Reads a refusal from a tool's result. A host may drop all but the text, whose first line is `CODE: message`. */
function refusalFromResult({ content = [], _meta }: ToolResult): Refusal {
  const structured = _meta?.[REFUSAL_META] as Refusal | undefined;
  if (structured?.message !== undefined) return structured;
  const [first = "", ...rest] = content
    .map(({ text = "" }) => text)
    .join("\n")
    .split("\n");
  const [, code = "REFUSED", message = first] = /^([A-Z_]+): (.*)$/.exec(first) ?? [];
  return { code, message, hint: rest.join("\n"), next: null, details: undefined };
}
