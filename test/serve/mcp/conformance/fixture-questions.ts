/** Tools and a prompt of the conformance suites that ask their user, or their user's model, before they answer. */
import { randomBytes } from "node:crypto";
import {
  createRequestStateCodec,
  type InputRequest,
  inputRequired,
  inputResponse,
  type McpServer,
  type ServerContext,
  type ToolCallback,
} from "@modelcontextprotocol/server";
import { z } from "zod";
import { text } from "./fixture-tools.ts";

type State = { at: string };
export const codec = createRequestStateCodec<State>({ key: randomBytes(32), ttlSeconds: 60 });

const none = z.object({});
const form = (message: string, properties: object, required = Object.keys(properties)) =>
  inputRequired.elicit({ message, requestedSchema: { type: "object", properties, required } as never });
const asksName = form("What is your name?", { name: { type: "string" } });
const sample = (said: string, maxTokens: number) =>
  inputRequired.createMessage({ messages: [{ role: "user", content: { type: "text", text: said } }], maxTokens });

/** What was answered under this key, once it has the form of an answer. */
function answerTo(ctx: ServerContext, key: string): Record<string, unknown> | undefined {
  const answer = inputResponse(ctx.mcpReq.inputResponses, key);
  return answer.kind === "missing" ? undefined : (answer as unknown as Record<string, unknown>);
}
const contentOf = (answer: Record<string, unknown>) => (answer.content ?? {}) as Record<string, unknown>;
const declared = (ctx: ServerContext, server: McpServer) =>
  ((ctx.mcpReq.envelope as Record<string, unknown> | undefined)?.["io.modelcontextprotocol/clientCapabilities"] ??
    server.server.getClientCapabilities() ??
    {}) as {
    elicitation?: object;
    sampling?: object;
  };

export function addQuestions(server: McpServer): void {
  const tool = (name: string, call: ToolCallback<typeof none>) =>
    server.registerTool(name, { description: `What the suites call ${name}`, inputSchema: none }, call);
  /** Asks these, all at once, until each has an answer. */
  const asking = (
    name: string,
    questions: Record<string, InputRequest>,
    said: (ctx: ServerContext) => string,
    at?: string,
  ) =>
    tool(name, async (_args, ctx) => {
      const answered = Object.keys(questions).every((key) => answerTo(ctx, key) !== undefined);
      if (answered && (at === undefined || ctx.mcpReq.requestState<State>()?.at === at)) return text(said(ctx));
      const requestState = at === undefined ? {} : { requestState: await codec.mint({ at }, ctx) };
      return inputRequired({ inputRequests: questions, ...requestState }) as never;
    });

  asking("test_input_required_result_elicitation", { user_name: asksName }, (ctx) => {
    const { name } = contentOf(answerTo(ctx, "user_name")!);
    return `Hello, ${name}!`;
  });
  asking(
    "test_input_required_result_sampling",
    { capital_question: sample("What is the capital of France?", 100) },
    (ctx) => JSON.stringify(answerTo(ctx, "capital_question")),
  );
  asking("test_input_required_result_list_roots", { client_roots: inputRequired.listRoots() }, (ctx) =>
    JSON.stringify(answerTo(ctx, "client_roots")),
  );
  const confirm = form("Please confirm", { ok: { type: "boolean" } });
  asking("test_input_required_result_request_state", { confirm }, () => "state-ok", "confirming");
  asking("test_input_required_result_tampered_state", { confirm }, () => "state-ok", "tampering");
  asking(
    "test_input_required_result_multiple_inputs",
    { user_name: asksName, greeting: sample("Generate a greeting", 50), client_roots: inputRequired.listRoots() },
    () => "All was answered",
    "several",
  );
  tool("test_input_required_result_multi_round", async (_args, ctx) => {
    const at = ctx.mcpReq.requestState<State>()?.at;
    if (at === "second" && answerTo(ctx, "step2")) return text("Both rounds are done");
    const isSecond = at === "first" && answerTo(ctx, "step1") !== undefined;
    const inputRequests: Record<string, InputRequest> = isSecond
      ? { step2: form("Step 2: What is your favorite color?", { color: { type: "string" } }) }
      : { step1: form("Step 1: What is your name?", { name: { type: "string" } }) };
    return inputRequired({
      inputRequests,
      requestState: await codec.mint({ at: isSecond ? "second" : "first" }, ctx),
    }) as never;
  });
  tool("test_input_required_result_capabilities", (_args, ctx) => {
    const { elicitation, sampling } = declared(ctx, server);
    return inputRequired({
      inputRequests: {
        ...(elicitation && { user_name: asksName }),
        ...(sampling && { greeting: sample("Generate a greeting", 50) }),
      },
    }) as never;
  });
  asking("test_missing_capability", { greeting: sample("Generate a greeting", 50) }, () => "It was declared");
  asking("test_streaming_elicitation", { user_name: asksName }, () => "It was answered");
  server.registerTool(
    "test_sampling",
    { description: "Has the client's model say something", inputSchema: z.object({ prompt: z.string() }) },
    ({ prompt }, ctx) => {
      const answer = answerTo(ctx, "sampled");
      if (!answer) return inputRequired({ inputRequests: { sampled: sample(prompt, 100) } }) as never;
      return text(`LLM response: ${JSON.stringify(answer)}`);
    },
  );
  /** Puts one form to the user and says what came of it. */
  const putting = (name: string, label: string, properties: object, required: string[]) =>
    server.registerTool(
      name,
      { description: "Asks the user", inputSchema: z.object({ message: z.string().optional() }) },
      ({ message = "Please fill this in" }, ctx) => {
        const answer = answerTo(ctx, "asked");
        if (!answer) return inputRequired({ inputRequests: { asked: form(message, properties, required) } }) as never;
        return text(`${label}: action=${answer.action}, content=${JSON.stringify(answer.content)}`);
      },
    );
  const string = { type: "string" };
  putting(
    "test_elicitation",
    "User response",
    {
      username: { ...string, description: "User's response" },
      email: { ...string, description: "User's email address" },
    },
    ["username", "email"],
  );
  putting(
    "test_elicitation_sep1034_defaults",
    "Elicitation completed",
    {
      name: { ...string, default: "John Doe" },
      age: { type: "integer", default: 30 },
      score: { type: "number", default: 95.5 },
      status: { ...string, enum: ["active", "inactive", "pending"], default: "active" },
      verified: { type: "boolean", default: true },
    },
    [],
  );
  const titled = (of: string) =>
    ["First", "Second", "Third"].map((title, index) => ({ const: `value${index + 1}`, title: `${title} ${of}` }));
  const options = ["option1", "option2", "option3"];
  putting(
    "test_elicitation_sep1330_enums",
    "Elicitation completed",
    {
      untitledSingle: { ...string, enum: options },
      titledSingle: { ...string, oneOf: titled("Option") },
      legacyEnum: {
        ...string,
        enum: ["opt1", "opt2", "opt3"],
        enumNames: ["Option One", "Option Two", "Option Three"],
      },
      untitledMulti: { type: "array", items: { ...string, enum: options } },
      titledMulti: { type: "array", items: { anyOf: titled("Choice") } },
    },
    [],
  );
  server.registerPrompt("test_input_required_result_prompt", { description: "Asks for its context" }, (ctx) => {
    const answer = answerTo(ctx, "user_context");
    const asked = form("What context should the prompt use?", { context: string });
    if (!answer) return inputRequired({ inputRequests: { user_context: asked } }) as never;
    const said = `Context: ${contentOf(answer).context}`;
    return { messages: [{ role: "user", content: { type: "text", text: said } }] };
  });
}
