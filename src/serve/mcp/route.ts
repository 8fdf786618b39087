/** The route /mcp: authentication and scopes are those of REST, and the MCP SDK answers. */
import type { Hono } from "hono";
import { type Effect, scopeFor } from "../../domain/scope.ts";
import type { AppContext } from "../app-context.ts";
import { jsonIn, readBody } from "../http/body.ts";
import { type Environment, requireScope, scopeMissing } from "../http/environment.ts";
import { watchStream } from "../http/stream.ts";
import type { Caller } from "../http/token.ts";
import type { McpHttp } from "./http.ts";
import type { Authority } from "./server.ts";

export const MCP_PATH = "/mcp";

export type McpPlaceOptions = Readonly<{ appContext: AppContext; mcp: McpHttp; heartbeatMs?: number }>;

export function addMcp(app: Hono<Environment>, { appContext, mcp, heartbeatMs }: McpPlaceOptions): void {
  const effects = new Map(appContext.tools.map(({ name, effect }) => [name, effect]));
  app.all(MCP_PATH, async (context) => {
    const { raw } = context.req;
    const isPost = raw.method === "POST";
    const body = isPost ? jsonIn(await readBody(context), raw) : undefined;
    if (isPost && body === undefined)
      return context.json({ jsonrpc: "2.0", id: null, error: { code: -32_700, message: "Parse error" } }, 400);
    const caller = context.get("caller");
    for (const message of Array.isArray(body) ? body : [body]) {
      const effect = effectOf(message, effects);
      if (effect === undefined) continue;
      // A client with an OAuth token asks its issuer for more scopes when the header says so. A client with a token of this
      // server cannot, and gets the refusal in the answer.
      if (caller.mayAskForMore) requireScope(context, scopeFor[effect]);
      if (effect !== "read") context.get("countChange")();
    }
    const leaving: (() => void)[] = [];
    const leave = () => {
      for (const listener of leaving.splice(0)) listener();
    };
    try {
      const call = { request: raw, body, authority: authorityOf(caller) };
      const answer = await mcp.handle(call, (listener) => void leaving.push(listener));
      if (answer.headers.get("content-type") !== "text/event-stream" || !answer.body) {
        leave();
        return answer;
      }
      return watchStream(answer, {
        isStillAuthenticated: context.get("isStillAuthenticated"),
        left: leave,
        ...(heartbeatMs && { heartbeatMs }),
      });
    } catch (error) {
      leave();
      throw error;
    }
  });
}

/** The effect of a message. Undefined for a message that needs no scope. */
function effectOf(message: unknown, effects: ReadonlyMap<string, Effect>): Effect | undefined {
  const { method, params } = (message ?? {}) as { method?: unknown; params?: { name?: unknown } };
  if (method === "tools/call") return effects.get(String(params?.name));
  if (method === "subscriptions/listen" || method === "completion/complete") return "read";
  return typeof method === "string" && /^resources\/(?!templates)/.test(method) ? "read" : undefined;
}

function authorityOf(caller: Caller): Authority {
  const { name, scopes, mayAskForMore } = caller;
  return {
    actor: `mcp-http:${name}`,
    owner: name,
    scopes,
    lacks: (scope) => scopeMissing(caller, scope),
    listsAll: mayAskForMore === true,
  };
}
