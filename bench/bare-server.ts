// The least that an MCP server of this SDK can be: one tool.
import { McpServer } from "@modelcontextprotocol/server";
import { serveStdio } from "@modelcontextprotocol/server/stdio";
import { z } from "zod";

serveStdio(() => {
  const server = new McpServer({ name: "bare", version: "1" });
  const definition = { description: "Says it back", inputSchema: z.object({ text: z.string() }) };
  server.registerTool("echo", definition, ({ text }) => ({ content: [{ type: "text", text }] }));
  return server;
});
