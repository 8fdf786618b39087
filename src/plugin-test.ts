/** For a plugin's own tests: calls its functions as Bootwright does, without a server and in the same thread. */
import type { DomainEvent, EventType } from "./domain/model/event.ts";
import { type FunctionContext, type Plugin, ToolRefused } from "./plugin.ts";

export type ToolAnswers = Readonly<Record<string, (args: Readonly<Record<string, unknown>>) => object>>;

export type OpenPlugin = Readonly<{
  /** Passes an event to the plugin, by default of VM `vm-1`. @throws whatever the plugin's function throws */
  emit(type: EventType, data?: DomainEvent["data"], more?: Partial<DomainEvent>): Promise<void>;
  request(request: Request, options?: Readonly<{ vm?: string }>): Promise<Response>;
  /** The lines that the plugin has logged. */
  lines: readonly string[];
  /** The plugin's tool calls, with their arguments. */
  calls: readonly Readonly<{ tool: string; args: Readonly<Record<string, unknown>> }>[];
  close(): Promise<void>;
}>;

/** Opens a plugin with the given settings. `tools` answer the calls of its functions, and may throw `ToolRefused`. */
export async function openPlugin<Config, Session>(
  plugin: Plugin<Config, Session>,
  settings: unknown = {},
  tools: ToolAnswers = {},
): Promise<OpenPlugin> {
  const closing = new AbortController();
  const lines: string[] = [];
  const calls: { tool: string; args: Readonly<Record<string, unknown>> }[] = [];
  const log = (line: string) => void lines.push(line);
  const session = await plugin.open(plugin.config.parse(settings), {
    connection: plugin.manifest.name,
    log,
    signal: closing.signal,
    fingerprint: (meaning) => `fingerprint of ${meaning}`,
    cacheDirectory: ".",
    defaults: {},
  });
  const context: FunctionContext = {
    log,
    signal: closing.signal,
    async call(tool, args = {}) {
      calls.push({ tool, args });
      const answer = tools[tool];
      if (!answer)
        throw new ToolRefused("TOOL_NOT_FOUND", `Cannot find tool "${tool}": the test gives it no answer`, {});
      return { ...answer(args) };
    },
  };
  let count = 0;
  return {
    lines,
    calls,
    async emit(type, data = {}, more = {}) {
      const id = `test:${count++}`;
      const source = "bootwright/test";
      const time = new Date(0).toISOString();
      await plugin.on?.[type]?.(
        session,
        { specversion: "1.0", id, source, type, subject: "vm-1", time, data, ...more },
        context,
      );
    },
    async request(request, { vm } = {}) {
      if (!plugin.fetch) throw new Error(`plugin "${plugin.manifest.name}" has no fetch`);
      return plugin.fetch(session, request, { ...context, ...(vm !== undefined && { vm }) });
    },
    async close() {
      closing.abort();
      await plugin.close(session);
    },
  };
}
