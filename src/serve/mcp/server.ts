/** The MCP server of one client, on any transport. One definition serves both protocol generations. */
import { randomBytes } from "node:crypto";
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
import { z } from "zod";
import { DomainError } from "../../domain/error.ts";
import { scopeFor } from "../../domain/scope.ts";
import type { Answers } from "../../tools/catalogue.ts";
import { answerText, type Refusal, refusalText } from "../../tools/respond.ts";
import { annotationsOf, type Tool } from "../../tools/tool.ts";
import type { AppContext } from "../app-context.ts";
import { type Defect, defectOf } from "../defect.ts";
import { authorise, dispatcherFor, isToBeConfirmed, type Principal } from "../dispatch.ts";
import type { InFlightCalls } from "../in-flight-calls.ts";
import { ANSWER_BYTES_MAX, limitProgress } from "../limits.ts";
import { isRefusal, refusalIn } from "../surface-error.ts";
import { panelMeta } from "./app-panel.ts";
import { resourceCacheHints, resourceCapabilities, serveResources } from "./resource-handlers.ts";
import type { Ask } from "./resources.ts";
import type { Subscriptions } from "./subscriptions.ts";

const instructions = `Bootwright takes a virtual machine from an installer ISO to running from its own disk.
The usual way: create_vm (with iso_path), start_vm (the installer runs), complete_installation with boot_order "hd" when the user or the guest says that it is done, restart_vm. The installer starts again at every reboot until the boot order or the medium changes; check_boot says what would boot and why.
Boot order changes of a running VM take effect at its next cold start. Every finding names the calls that mend it. dry_run shows what a call would do. When a call is refused with CONFIRMATION_REQUIRED, ask the user before sending the token back.
VMs and operations are resources too (vm://UUID, operation://ID): subscribers get an update at every change, whoever made it.`;

/** The key of a refusal in a result's `_meta`. structuredContent must fit the tool's output schema, so it cannot hold one. */
export const REFUSAL_META = "dev.bootwright/error";

const Confirmation = z.object({ confirm: z.boolean().describe("Go ahead") });
type Confirming = { tool: string; token: string };

type ObjectSchema = { type: "object" };

/** A tool's JSON Schemas for the wire. Hosts put them into every conversation, so they say nothing twice: no dialect, since
 * that is the protocol's default, no keywords that permit everything, and descriptions of a VM's fields only with the
 * tools that read. */
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

/** The caller and its rights. The history has the client's name after `actor`. */
export type Authority = Pick<Principal, "actor" | "scopes" | "lacks"> &
  Readonly<{
    /** Only the same owner may answer a question that this caller was asked. */
    owner: string;
    /** Whether the list has tools that the caller may not call. */
    listsAll: boolean;
  }>;

export type Serves = Readonly<{
  appContext: AppContext;
  inFlight: Pick<InFlightCalls, "count" | "add" | "signal">;
  authority: (ctx: ServerContext) => Authority;
}>;

export type Build = (era: McpRequestContext["era"], subscriptions: Subscriptions) => Server;

/** Returns the function that makes the server object of a connection or a request. */
export function serverFor({ appContext, inFlight, authority }: Serves): Build {
  const codec = createRequestStateCodec<Confirming>({
    key: randomBytes(32),
    ttlSeconds: 300,
    bind: (ctx) => authority(ctx).owner,
  });
  const listed = appContext.tools.map((tool) => ({
    tool,
    shown: {
      name: tool.name,
      title: tool.title,
      description: tool.description,
      ...schemasOf(tool),
      annotations: annotationsOf(tool),
      ...panelMeta(tool.name),
    },
  }));
  const dispatch = dispatcherFor({ appContext, inFlight });
  const signalOf = (ctx: ServerContext) => AbortSignal.any([ctx.mcpReq.signal, inFlight.signal]);
  const principalOf = (server: Server, ctx: ServerContext): Principal => {
    const { actor, scopes, lacks } = authority(ctx);
    const { name, elicits } = clientOf(server, ctx);
    return { actor: `${actor}:${name}`, scopes, lacks, agreement: elicits ? "person" : "program" };
  };

  /** Reads a resource through a tool, with that tool's limits and permissions. */
  const askFor =
    (server: Server, ctx: ServerContext): Ask =>
    async (name, args) => {
      const call = { signal: signalOf(ctx), progress: () => {} };
      return withinBounds(
        name,
        (await dispatch.call(principalOf(server, ctx), name, args, call)) as Answers[typeof name],
      );
    };

  async function respond(server: Server, name: string, args: Record<string, unknown>, ctx: ServerContext) {
    const principal = principalOf(server, ctx);
    try {
      const asked = inputResponse(ctx.mcpReq.inputResponses, "confirm");
      if (asked.kind !== "missing") {
        const state = ctx.mcpReq.requestState<Confirming>();
        const answer = acceptedContent(ctx.mcpReq.inputResponses, "confirm", Confirmation);
        if (state?.tool !== name || !answer?.confirm)
          throw new DomainError("CONFIRMATION_DECLINED", { vm: String(args.vm ?? "") });
        args.confirm = state.token;
      }
      const data = await dispatch.call(principal, name, args, { signal: signalOf(ctx), progress: progressFor(ctx) });
      return withinBounds(name, {
        content: [{ type: "text" as const, text: answerText({ name }, data) }],
        structuredContent: data,
      } satisfies CallToolResult);
    } catch (error) {
      if (!isRefusal(error)) return defectResult(defectOf(appContext, error));
      if (!isToBeConfirmed(error) || principal.agreement !== "person") return refusalResult(refusalIn(error));
      const { confirm: token, losses, vm } = error.details;
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
  }

  return (era, subscriptions) => {
    const server = new Server(
      { name: "bootwright", title: "Bootwright", version: appContext.version },
      {
        capabilities: { tools: {}, ...resourceCapabilities },
        instructions,
        cacheHints: { "tools/list": { ttlMs: 3_600_000, cacheScope: "private" }, ...resourceCacheHints },
        requestState: { verify: codec.verify },
      },
    );
    server.setRequestHandler("tools/list", (_request, ctx) => {
      const { listsAll, scopes } = authority(ctx);
      const tools = listsAll ? listed : listed.filter(({ tool }) => scopes.includes(scopeFor[tool.effect]));
      return { tools: tools.map(({ shown }) => shown) };
    });
    server.setRequestHandler("tools/call", ({ params }, ctx) => {
      const { name, arguments: args = {} } = params;
      return respond(server, name, { ...args }, ctx);
    });
    serveResources(server, era, {
      appContext,
      subscriptions,
      ask: (ctx) => askFor(server, ctx),
      requireLook: (ctx) => authorise(authority(ctx), "vm:read"),
    });
    return server;
  };
}

/** A client ends the connection at an answer over its own limit.
 * @throws DomainError ANSWER_TOO_LARGE */
function withinBounds<T extends object>(tool: string, result: T): T {
  const bytes = Buffer.byteLength(JSON.stringify(result));
  if (bytes <= ANSWER_BYTES_MAX) return result;
  throw new DomainError("ANSWER_TOO_LARGE", { tool, bytes, bytesMax: ANSWER_BYTES_MAX });
}

const refusalResult = (refusal: Refusal): CallToolResult => ({
  isError: true,
  content: [{ type: "text", text: refusalText(refusal) }],
  _meta: { [REFUSAL_META]: refusal },
});

const defectResult = ({ id, message }: Defect): CallToolResult => ({
  isError: true,
  content: [{ type: "text", text: `DEFECT: ${message}` }],
  _meta: { [REFUSAL_META]: { code: "DEFECT", id } },
});

/** The client's name, and whether it can ask its user. Clients of protocol 2025 state it once, later ones in each request. */
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
  // A client that names no kind predates the others, and has forms.
  const { form, url } = capabilities?.elicitation ?? { url: {} };
  return { name, elicits: form !== undefined || url === undefined };
}

/** Sends progress if the client asked for it, at a limited rate. */
function progressFor(ctx: ServerContext): (message: string, percent?: number) => void {
  const progressToken = ctx.mcpReq._meta?.progressToken;
  if (progressToken === undefined) return () => undefined;
  let progress = 0;
  return limitProgress((message, percent) => {
    // The protocol requires a rising value, even if the percentage is the same.
    progress = percent === undefined ? progress + 1 : Math.max(percent, progress + Number.EPSILON * 1024);
    const params = { progressToken, progress, ...(percent !== undefined && { total: 100 }), message };
    void ctx.mcpReq.notify({ method: "notifications/progress", params }).catch(() => undefined);
  });
}
