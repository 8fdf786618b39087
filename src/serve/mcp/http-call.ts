/** One request to MCP over HTTP. */
import type { Authority } from "./server.ts";

/** One request, let in and read: `body` is what its JSON says, undefined where it has none. */
export type McpCall = Readonly<{ request: Request; body: unknown; authority: Authority }>;
