/** What every surface is given: the tools on offer and the means to run one. */
import type { Services, Tool } from "../tools/tool.ts";

export type AppContext = Readonly<{
  tools: readonly Tool[];
  confirm: "token" | "human";
  version: string;
  /** The panel that hosts may show, as HTML; undefined where it was not built. */
  panel?: () => string | undefined;
  services: Services;
  /** One line for whoever runs the program. */
  log: (message: string) => void;
  /** Writes a defect's stack to stderr and returns an id for the caller. */
  defect: (error: unknown) => string;
}>;
