/** MCP; only this file and those named after it know its SDK. One factory serves both protocol generations. */
import { randomBytes } from "node:crypto";
import type { Writable } from "node:stream";
import { setTimeout as after } from "node:timers/promises";
import {
  acceptedContent,
  type CallToolResult,
  createRequestStateCodec,
  inputRequired,
  inputResponse,
  type McpRequestContext,
  Server,
  type ServerContext,
} from "@modelcontextprotocol/server";
import { StdioServerTransport, serveStdio } from "@modelcontextprotocol/server/stdio";
import { z } from "zod";
import { DomainError } from "../domain/error.ts";
import { callTool } from "../tools/call.ts";
import type { Answers } from "../tools/catalogue.ts";
import { answerText, refusalOf, refusalText } from "../tools/respond.ts";
import { annotationsOf, type Tool } from "../tools/tool.ts";
import { ANSWER_BYTES_MAX, CALLS_MAX, paced, URIS_MAX } from "./bounds.ts";
import { heedStreams, notifyOn, resourceCacheHints, resourceCapabilities, serveResources } from "./mcp-resources.ts";
import type { Ask } from "./resources.ts";
import type { Session } from "./session.ts";
import { subscriptionsFor } from "./subscriptions.ts";
import { BoundedLines, MESSAGE_BYTES_MAX } from "./wire.ts";

const instructions = `Bootwright takes a virtual machine from an installer ISO to running from its own disk.
The usual way: create_vm (with iso_path), start_vm (the installer runs), complete_installation with boot_order "hd" when the user or the guest says that it is done, restart_vm. The installer starts again at every reboot until the boot order or the medium is changed; check_boot says what would boot and why.
Boot order changes of a running VM take effect at its next cold start. Every finding names the calls that mend it. dry_run shows what a call would do. When a call is refused with CONFIRMATION_REQUIRED, ask the user before sending the token back.
VMs and operations are resources too (vm://UUID, operation://ID): who subscribes to one is told when something happens to it, whoever did it.`;

/** Where a refusal's code and details stand in a result: structuredContent has to fit the tool's output schema. */
export const REFUSAL_META = "dev.bootwright/error";

const Confirmation = z.object({ confirm: z.boolean().describe("Go ahead") });
type Confirming = { tool: string; token: string };

type ObjectSchema = { type: "object" };

/** JSON Schemas of a tool as they go over the wire. Hosts put them before a model with every conversation, so they say
 * nothing twice: no dialect that is the protocol's own anyway, nothing that permits what is permitted without it, and
 * what a VM's fields mean stands with the tools that only look. */
export const schemasOf = ({
  input,
  output,
  effect,
}: Tool): { inputSchema: ObjectSchema; outputSchema: ObjectSchema } => ({
  inputSchema: jsonSchemaOf(z.strictObject(input.shape)),
  outputSchema: jsonSchemaOf(output, effect === "read" ? undefined : 2),
});

function jsonSchemaOf(schema: z.ZodType, describedTo = Number.POSITIVE_INFINITY): ObjectSchema {
  const { $schema: _dialect, ...json } = z.toJSONSchema(schema, {
    io: "input",
    override({ jsonSchema, path }) {
      if (path.length > describedTo) delete jsonSchema.description;
      delete jsonSchema.propertyNames;
      const { additionalProperties: more } = jsonSchema;
      if (typeof more === "object" && Object.keys(more).length === 0) delete jsonSchema.additionalProperties;
    },
  });
  return json as ObjectSchema;
}

/** How long calls may take to come to an end once the client is gone. */
const SETTLE_LIMIT_MS = 10_000;

export type Serving = Readonly<{
  /** The client is gone, and what it had asked for is settled. */
  ended: Promise<void>;
  close(): Promise<void>;
}>;

/** Serves MCP on stdin and stdout until the client goes away. `output` is stdout, which is watched for what is unread. */
export function serveMcp(session: Session, output: Writable): Serving {
  const underWay = new Set<Promise<unknown>>();
  const codec = createRequestStateCodec<Confirming>({ key: randomBytes(32), ttlSeconds: 300 });
  const listed = session.tools.map((tool) => ({
    name: tool.name,
    title: tool.title,
    description: tool.description,
    ...schemasOf(tool),
    annotations: annotationsOf(tool),
  }));
  let current: Server | undefined;
  const subscriptions = subscriptionsFor(
    session,
    notifyOn(output, () => current),
  );
  const build = ({ era }: McpRequestContext): Server => {
    const server = new Server(
      { name: "bootwright", title: "Bootwright", version: session.version },
      {
        capabilities: { tools: {}, ...resourceCapabilities },
        instructions,
        cacheHints: { "tools/list": { ttlMs: 3_600_000, cacheScope: "private" }, ...resourceCacheHints },
        requestState: { verify: codec.verify },
      },
    );
    server.setRequestHandler("tools/list", () => ({ tools: listed }));
    server.setRequestHandler("tools/call", async ({ params }, ctx) => {
      const { name, arguments: args = {} } = params;
      if (underWay.size >= CALLS_MAX) return refusalResult(new DomainError("SERVER_BUSY", { calls: CALLS_MAX }));
      return counted(respond(server, name, { ...args }, ctx));
    });
    serveResources(server, era, { session, subscriptions, ask: (ctx) => askFor(server, ctx) });
    // The one that answered a first look at the protocol's generation is dropped when another one is built.
    current = server;
    return server;
  };
  const counted = <T>(call: Promise<T>): Promise<T> => {
    underWay.add(call);
    return call.finally(() => underWay.delete(call));
  };

  /** What a resource says is what a tool answers, within the same bounds. */
  const askFor =
    (server: Server, ctx: ServerContext): Ask =>
    async (name, args) => {
      if (underWay.size >= CALLS_MAX) throw new DomainError("SERVER_BUSY", { calls: CALLS_MAX });
      const actor = `mcp:${clientOf(server, ctx).name}`;
      const context = session.context({ actor, signal: ctx.mcpReq.signal, progress: () => {} });
      return withinBounds(name, (await counted(callTool(session.tools, name, args, context))) as Answers[typeof name]);
    };

  async function respond(server: Server, name: string, args: Record<string, unknown>, ctx: ServerContext) {
    const client = clientOf(server, ctx);
    try {
      const asked = inputResponse(ctx.mcpReq.inputResponses, "confirm");
      if (asked.kind !== "missing") {
        const state = ctx.mcpReq.requestState<Confirming>();
        const answer = acceptedContent(ctx.mcpReq.inputResponses, "confirm", Confirmation);
        if (state?.tool !== name || !answer?.confirm)
          throw new DomainError("CONFIRMATION_DECLINED", { vm: String(args.vm ?? "") });
        args.confirm = state.token;
      }
      const context = session.context({
        actor: `mcp:${client.name}`,
        signal: ctx.mcpReq.signal,
        progress: progressFor(ctx),
      });
      const data = await callTool(session.tools, name, args, context);
      const tool = session.tools.find((candidate) => candidate.name === name)!;
      return withinBounds(name, {
        content: [{ type: "text" as const, text: answerText(tool, data) }],
        structuredContent: data,
      } satisfies CallToolResult);
    } catch (error) {
      if (!(error instanceof DomainError)) return defectResult(session.defect(error));
      if (error.code !== "CONFIRMATION_REQUIRED") return refusalResult(error);
      const { confirm: token, losses, vm } = (error as DomainError<"CONFIRMATION_REQUIRED">).details;
      if (client.elicits) {
        return inputRequired({
          requestState: await codec.mint({ tool: name, token }, ctx),
          inputRequests: {
            confirm: inputRequired.elicit({
              message: `${name} on ${vm} loses for good: ${losses.join("; ")}. Go ahead?`,
              requestedSchema: Confirmation,
            }),
          },
        });
      }
      return refusalResult(
        session.confirm === "human" ? new DomainError("CONFIRMATION_BY_PERSON", { vm, losses }) : error,
      );
    }
  }

  const lines = new BoundedLines(output, ({ bytes, id }) => {
    const refusal = refusalOf(new DomainError("MESSAGE_TOO_LARGE", { bytes, bytesMax: MESSAGE_BYTES_MAX }));
    const error = { code: INVALID_REQUEST, message: refusalText(refusal), data: refusal };
    // JSON-RPC answers with null where no id could be made out; the SDK's types know of no such answer.
    void transport.send({ jsonrpc: "2.0", id: id as string | number, error }).catch(() => undefined);
  });
  const transport = new StdioServerTransport(process.stdin.pipe(lines) as unknown as typeof process.stdin);
  const handle = serveStdio(build, {
    transport,
    maxSubscriptions: URIS_MAX,
    onerror(error) {
      // That the client no longer reads is its right.
      if ((error as NodeJS.ErrnoException).code !== "EPIPE") process.stderr.write(`bootwright: ${error.message}\n`);
    },
  });
  heedStreams(transport, session, subscriptions);
  // The end of one server object is not the end of the connection: the one that answers a client's first look at the
  // protocol's generation is dropped when the client then takes the other.
  const ended = new Promise<void>((resolve) => {
    const { onclose } = transport;
    transport.onclose = () => {
      // Aborts the calls that are under way; each then looks at its VM and settles.
      onclose?.();
      subscriptions.close();
      const settled = new AbortController();
      const limit = after(SETTLE_LIMIT_MS, undefined, { signal: settled.signal }).catch(() => undefined);
      void Promise.race([Promise.allSettled(underWay), limit]).then(() => {
        settled.abort();
        resolve();
      });
    };
  });
  return { ended, close: () => handle.close() };
}

/** What a request that is not one is answered with, by JSON-RPC. */
const INVALID_REQUEST = -32_600;

/** Clients have a bound of their own, and one that is sent more than that ends the connection.
 * @throws DomainError ANSWER_TOO_LARGE */
function withinBounds<T extends object>(tool: string, result: T): T {
  const bytes = Buffer.byteLength(JSON.stringify(result));
  if (bytes <= ANSWER_BYTES_MAX) return result;
  throw new DomainError("ANSWER_TOO_LARGE", { tool, bytes, bytesMax: ANSWER_BYTES_MAX });
}

function refusalResult(error: DomainError): CallToolResult {
  const refusal = refusalOf(error);
  return { isError: true, content: [{ type: "text", text: refusalText(refusal) }], _meta: { [REFUSAL_META]: refusal } };
}

const defectResult = (id: string): CallToolResult => ({
  isError: true,
  content: [
    {
      type: "text",
      text: `DEFECT: This is a fault in Bootwright itself, not in the request. Its log has it under ${id}`,
    },
  ],
  _meta: { [REFUSAL_META]: { code: "DEFECT", id } },
});

/** Who calls, and whether that client can ask its user; stated once by clients of 2025, on each request by later ones. */
function clientOf(server: Server, ctx: ServerContext): { name: string; elicits: boolean } {
  const envelope = ctx.mcpReq.envelope as Record<string, unknown> | undefined;
  const capabilities = (envelope?.["io.modelcontextprotocol/clientCapabilities"] ?? server.getClientCapabilities()) as
    | { elicitation?: { form?: object; url?: object } }
    | undefined;
  const info = (envelope?.["io.modelcontextprotocol/clientInfo"] ?? server.getClientVersion()) as
    | { name?: string; version?: string }
    | undefined;
  const name = `${info?.name ?? "unknown"} ${info?.version ?? ""}`
    .replace(/[^\x20-\x7e]/g, "")
    .trim()
    .slice(0, 80);
  // Clients that name no kind are from before there was another one than forms.
  const { form, url } = capabilities?.elicitation ?? { url: {} };
  return { name, elicits: form !== undefined || url === undefined };
}

/** Sends progress where the client asked for it, as much of it as a reader can follow. */
function progressFor(ctx: ServerContext): (message: string) => void {
  const progressToken = ctx.mcpReq._meta?.progressToken;
  if (progressToken === undefined) return () => undefined;
  let progress = 0;
  return paced((message) => {
    progress += 1;
    void ctx.mcpReq
      .notify({ method: "notifications/progress", params: { progressToken, progress, message } })
      .catch(() => undefined);
  });
}
