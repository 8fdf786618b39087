/** What every surface is given: the tools on offer and the means to run one. */
import type { CallContext } from "../domain/ports/call-context.ts";
import type { Tool, ToolContext } from "../tools/tool.ts";

export type Session = Readonly<{
  tools: readonly Tool[];
  confirm: "token" | "human";
  version: string;
  /** The panel that hosts may show, as HTML; undefined where it was not built. */
  panel?: () => string | undefined;
  /** The context for one call. */
  context: (call: CallContext) => ToolContext;
  /** Writes a defect's stack to stderr and returns an id for the caller. */
  defect: (error: unknown) => string;
}>;
