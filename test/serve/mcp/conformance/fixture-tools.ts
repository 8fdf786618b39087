/** Tools that the conformance suites call by name, on the wiring that serves Bootwright's own. What each does is what the
 * suites say that it has to. */
import { setTimeout as after } from "node:timers/promises";
import {
  type CallToolResult,
  type ContentBlock,
  fromJsonSchema,
  type McpServer,
  type ToolCallback,
} from "@modelcontextprotocol/server";
import { z } from "zod";

/** One pixel. */
export const png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==";
const wav = Buffer.from(
  "RIFF$\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0D\xac\0\0\x88X\x01\0\x02\0\x10\0data\0\0\0\0",
  "latin1",
);

export const text = (said: string): CallToolResult => ({ content: [{ type: "text", text: said }] });
const none = z.object({});

const contents: Record<string, ContentBlock[]> = {
  test_simple_text: [{ type: "text", text: "This is a simple text response for testing." }],
  test_image_content: [{ type: "image", data: png, mimeType: "image/png" }],
  test_audio_content: [{ type: "audio", data: wav.toString("base64"), mimeType: "audio/wav" }],
  test_embedded_resource: [
    {
      type: "resource",
      resource: {
        uri: "test://embedded-resource",
        mimeType: "text/plain",
        text: "This is an embedded resource content.",
      },
    },
  ],
  test_multiple_content_types: [
    { type: "text", text: "Multiple content types test:" },
    { type: "image", data: png, mimeType: "image/png" },
    {
      type: "resource",
      resource: {
        uri: "test://mixed-content-resource",
        mimeType: "application/json",
        text: JSON.stringify({ test: "data", value: 123 }),
      },
    },
  ],
};

/** Kept as it is by whatever lists it. */
const richSchema = {
  $schema: "https://json-schema.org/draft/2020-12/schema",
  type: "object",
  $defs: {
    address: {
      $anchor: "addressDef",
      type: "object",
      properties: { street: { type: "string" }, city: { type: "string" } },
    },
  },
  properties: {
    name: { type: "string" },
    address: { $ref: "#/$defs/address" },
    contactMethod: { type: "string", enum: ["phone", "email"] },
    phone: { type: "string" },
    email: { type: "string" },
  },
  allOf: [{ anyOf: [{ required: ["phone"] }, { required: ["email"] }] }],
  if: { properties: { contactMethod: { const: "phone" } }, required: ["contactMethod"] },
  // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
  then: { required: ["phone"] },
  else: { required: ["email"] },
  additionalProperties: false,
} as const;

export function addTools(server: McpServer): void {
  const tool = (name: string, call: ToolCallback<typeof none>) =>
    server.registerTool(name, { description: `What the suites call ${name}`, inputSchema: none }, call);
  for (const [name, content] of Object.entries(contents)) tool(name, () => ({ content }));
  tool("test_error_handling", () => {
    throw new Error("This tool intentionally returns an error for testing");
  });
  const logged = async (
    _args: unknown,
    { mcpReq }: { mcpReq: { log: (level: "info", data: string) => Promise<void> } },
  ) => {
    await mcpReq.log("info", "Tool execution started");
    await after(50);
    await mcpReq.log("info", "Tool processing data");
    await after(50);
    await mcpReq.log("info", "Tool execution completed");
    return text("It has logged");
  };
  tool("test_tool_with_logging", logged);
  tool("test_logging_tool", logged);
  tool("test_tool_with_progress", async (_args, { mcpReq }) => {
    const progressToken = mcpReq._meta?.progressToken;
    for (const progress of [0, 50, 100]) {
      const params = { progressToken: progressToken!, progress, total: 100 };
      if (progressToken !== undefined) await mcpReq.notify({ method: "notifications/progress", params });
      await after(50);
    }
    return text("It has told how far it is");
  });
  tool("test_reconnection", async (_args, { http }) => {
    http?.closeSSE?.();
    await after(100);
    return text("The client came back for this");
  });
  server.registerTool(
    "json_schema_2020_12_tool",
    { description: "Its schema has what JSON Schema has", inputSchema: fromJsonSchema(richSchema) },
    () => text("It was called"),
  );
  server.registerTool(
    "test_custom_header",
    {
      description: "One of its arguments stands in a header too",
      inputSchema: fromJsonSchema({
        type: "object",
        properties: { region: { type: "string", "x-mcp-header": "Region" }, query: { type: "string" } },
      } as never),
    },
    () => text("It was called"),
  );
}
