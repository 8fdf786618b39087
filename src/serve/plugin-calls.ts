/** The calls of plugins' functions: a surface like MCP and the command line, without a person behind it. */
import { DomainError } from "../domain/error.ts";
import { callTool } from "../tools/call.ts";
import type { Effect } from "../tools/tool.ts";
import type { Session } from "./session.ts";

export type PluginCalls = Readonly<{
  /** Undefined for a tool that is not on offer. */
  effectOf(tool: string): Effect | undefined;
  /** @throws DomainError a refusal; a defect is written to stderr before it is thrown */
  call(plugin: string, tool: string, args: unknown, signal: AbortSignal): Promise<Record<string, unknown>>;
}>;

export function pluginCalls(session: Session): PluginCalls {
  return {
    effectOf: (tool) => session.tools.find(({ name }) => name === tool)?.effect,
    async call(plugin, tool, args, signal) {
      const context = session.context({ actor: `plugin:${plugin}`, signal, progress: () => undefined });
      try {
        return await callTool(session.tools, tool, args, context);
      } catch (error) {
        if (!(error instanceof DomainError)) session.defect(error);
        else if (error.code === "CONFIRMATION_REQUIRED" && session.confirm === "human") {
          const { vm, losses } = (error as DomainError<"CONFIRMATION_REQUIRED">).details;
          throw new DomainError("CONFIRMATION_BY_PERSON", { vm, losses });
        }
        throw error;
      }
    },
  };
}
