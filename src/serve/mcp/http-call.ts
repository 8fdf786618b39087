/** One request to MCP over HTTP. */
import type { Authority } from "./server.ts";

/** An authenticated request. `body` is its parsed JSON, undefined without a body. */
export type McpCall = Readonly<{ request: Request; body: unknown; authority: Authority }>;
