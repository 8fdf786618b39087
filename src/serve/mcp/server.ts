/** What answers one client over MCP, on whatever it is spoken to. One definition serves both protocol generations. */
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

/** Who asks, and what that one may do; in history the client's own name stands behind `actor`. */
export type Authority = Pick<Principal, "actor" | "scopes" | "lacks"> &
  Readonly<{
    /** Nobody else may answer a question that this one was asked. */
    owner: string;
    /** Whether tools that it may not call are in the list. */
    listsAll: boolean;
  }>;

export type Serves = Readonly<{
  appContext: AppContext;
  inFlight: Pick<InFlightCalls, "count" | "add" | "signal">;
  authority: (ctx: ServerContext) => Authority;
}>;

export type Build = (era: McpRequestContext["era"], subscriptions: Subscriptions) => Server;

/** Gives what makes the server object of a connection, or of a request. */
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

  /** What a resource says is what a tool answers, within the same bounds and to whom that tool would answer. */
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

/** Clients have a bound of their own, and one that is sent more than that ends the connection.
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
function progressFor(ctx: ServerContext): (message: string, percent?: number) => void {
  const progressToken = ctx.mcpReq._meta?.progressToken;
  if (progressToken === undefined) return () => undefined;
  let progress = 0;
  return limitProgress((message, percent) => {
    // It has to rise with each message, also where no more is done than before.
    progress = percent === undefined ? progress + 1 : Math.max(percent, progress + Number.EPSILON * 1024);
    const params = { progressToken, progress, ...(percent !== undefined && { total: 100 }), message };
    void ctx.mcpReq.notify({ method: "notifications/progress", params }).catch(() => undefined);
  });
}
