/** The way from a panel to the chat that it is shown in, and on to the tools: JSON-RPC over postMessage, as MCP Apps
 * (2026-01-26) has it. Written by hand, since the protocol's own library is ten times as large as the whole panel. */
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
  /** Tells how much room the panel takes. */
  size: (width: number, height: number) => void;
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

/** Greets the host. `result` is told what the tool answered that the panel is shown for. */
export async function openBridge(
  host: Window,
  told: { context: (context: HostContext) => void; result: (result: ToolResult) => void },
): Promise<Bridge> {
  const waiting = new Map<number | string, { resolve: (value: unknown) => void; reject: (error: Error) => void }>();
  let last = 0;
  const post = (message: Message) => host.postMessage({ jsonrpc: "2.0", ...message }, "*");
  const ask = (method: string, params: unknown): Promise<unknown> =>
    new Promise((resolve, reject) => {
      last += 1;
      waiting.set(last, { resolve, reject });
      post({ id: last, method, params });
    });
  addEventListener("message", ({ source, data }: MessageEvent<Message>) => {
    if (source !== host || data?.jsonrpc !== "2.0") return;
    const { id, method, params } = data;
    if (method === undefined) {
      const asked = id === undefined ? undefined : waiting.get(id);
      if (id !== undefined) waiting.delete(id);
      if (data.error) asked?.reject(new Error(data.error.message));
      else asked?.resolve(data.result);
    } else if (method === "ui/notifications/tool-result") told.result(params as ToolResult);
    else if (method === "ui/notifications/host-context-changed") told.context(params as HostContext);
    else if (id !== undefined) {
      const isKnown = method === "ping" || method === "ui/resource-teardown";
      post({
        id,
        ...(isKnown ? { result: {} } : { error: { code: METHOD_NOT_FOUND, message: "Method not found" } as never }),
      });
    }
  });
  const greeting = { appInfo: { name: "bootwright", version: "1" }, appCapabilities: {}, protocolVersion: VERSION };
  const answer = (await ask("ui/initialize", greeting)) as { hostContext?: HostContext };
  post({ method: "ui/notifications/initialized", params: {} });
  told.context(answer.hostContext ?? {});
  return {
    size: (width, height) => post({ method: "ui/notifications/size-changed", params: { width, height } }),
    async call<Name extends ToolName>(name: Name, args: Arguments = {}): Promise<Answers[Name]> {
      const result = (await ask("tools/call", { name, arguments: args }).catch(() => {
        throw unreachable();
      })) as ToolResult;
      if (result.isError !== true) return result.structuredContent as Answers[Name];
      throw new Refused(refusalIn(result));
    },
  };
}

/** A host may keep what stands beside the text to itself: then its first line is the code and what failed. */
function refusalIn({ content = [], _meta }: ToolResult): Refusal {
  const whole = _meta?.[REFUSAL_META] as Refusal | undefined;
  if (whole?.message !== undefined) return whole;
  const [first = "", ...rest] = content
    .map(({ text = "" }) => text)
    .join("\n")
    .split("\n");
  const [, code = "REFUSED", message = first] = /^([A-Z_]+): (.*)$/.exec(first) ?? [];
  return { code, message, hint: rest.join("\n"), next: null, details: undefined };
}
