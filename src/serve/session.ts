/** What every surface is given: the tools on offer and the means to run one. */
import type { Tool, ToolContext } from "../tools/tool.ts";

export type Session = Readonly<{
  tools: readonly Tool[];
  confirm: "token" | "human";
  version: string;
  /** The context for one call. */
  context: (call: Readonly<{ actor: string; signal: AbortSignal; progress: (message: string) => void }>) => ToolContext;
  /** Writes a defect's stack to stderr and returns an id for the caller. */
  defect: (error: unknown) => string;
}>;
