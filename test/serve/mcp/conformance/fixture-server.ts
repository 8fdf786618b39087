/** The server that the conformance suites expect: their fixtures, and nothing of Bootwright's. */
import { completable, McpServer, ResourceTemplate } from "@modelcontextprotocol/server";
import { z } from "zod";
import { addQuestions, codec } from "./fixture-questions.ts";
import { addTools, png } from "./fixture-tools.ts";

export function fixtureServer(era: "legacy" | "modern"): McpServer {
  const server = new McpServer(
    { name: "fixtures", version: "1" },
    {
      capabilities: {
        logging: {},
        completions: {},
        tools: { listChanged: false },
        prompts: { listChanged: false },
        resources: { subscribe: true },
      },
      requestState: { verify: codec.verify },
      cacheHints: { "tools/list": { ttlMs: 1_000, cacheScope: "private" } },
    },
  );
  addTools(server);
  addQuestions(server);
  addResources(server);
  addPrompts(server);
  if (era === "legacy") {
    server.server.setRequestHandler("resources/subscribe", () => ({}));
    server.server.setRequestHandler("resources/unsubscribe", () => ({}));
  }
  return server;
}

function addResources(server: McpServer): void {
  const add = (uri: string, mimeType: string, content: { text: string } | { blob: string }) =>
    server.registerResource(uri.slice("test://".length), uri, { description: `Holds ${mimeType}`, mimeType }, () => ({
      contents: [{ uri, mimeType, ...content }],
    }));
  add("test://static-text", "text/plain", { text: "This is the content of the static text resource." });
  add("test://static-binary", "image/png", { blob: png });
  add("test://watched-resource", "text/plain", { text: "It could change" });
  add("test://example-resource", "text/plain", { text: "An example" });
  server.registerResource(
    "template",
    new ResourceTemplate("test://template/{id}/data", { list: undefined }),
    { description: "Data of one id", mimeType: "application/json" },
    ({ href: uri }, { id }) => {
      const text = JSON.stringify({ id, templateTest: true, data: `Data for ID: ${id}` });
      return { contents: [{ uri, mimeType: "application/json", text }] };
    },
  );
}

function addPrompts(server: McpServer): void {
  const says = (text: string) => ({ role: "user" as const, content: { type: "text" as const, text } });
  const prompt = (name: string) => ({ description: `What the suites call ${name}` });
  server.registerPrompt("test_simple_prompt", prompt("test_simple_prompt"), () => ({
    messages: [says("This is a simple prompt for testing.")],
  }));
  const argument = completable(z.string(), (typed) =>
    ["paris", "park", "party"].filter((one) => one.startsWith(typed)),
  );
  server.registerPrompt(
    "test_prompt_with_arguments",
    { ...prompt("test_prompt_with_arguments"), argsSchema: z.object({ arg1: argument, arg2: z.string() }) },
    ({ arg1, arg2 }) => ({ messages: [says(`Prompt with arguments: arg1='${arg1}', arg2='${arg2}'`)] }),
  );
  server.registerPrompt(
    "test_prompt_with_embedded_resource",
    { ...prompt("test_prompt_with_embedded_resource"), argsSchema: z.object({ resourceUri: z.string() }) },
    ({ resourceUri: uri }) => {
      const resource = { uri, mimeType: "text/plain", text: "Embedded resource content for testing." };
      return {
        messages: [
          { role: "user", content: { type: "resource", resource } },
          says("Please process the embedded resource above."),
        ],
      };
    },
  );
  server.registerPrompt("test_prompt_with_image", prompt("test_prompt_with_image"), () => ({
    messages: [
      { role: "user", content: { type: "image", data: png, mimeType: "image/png" } },
      says("Please analyze the image above."),
    ],
  }));
}
