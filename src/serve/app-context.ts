/** The context that every surface gets: the offered tools, and the services to run them. */
import type { Services, Tool } from "../tools/tool.ts";

export type AppContext = Readonly<{
  tools: readonly Tool[];
  confirm: "token" | "human";
  version: string;
  /** The panel for MCP hosts, as HTML. Undefined if it is not built. */
  panel?: () => string | undefined;
  services: Services;
  /** Writes one line to stderr. */
  log: (message: string) => void;
  /** Writes a defect's stack to stderr and returns its id. */
  defect: (error: unknown) => string;
}>;
