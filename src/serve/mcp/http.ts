/** MCP on requests and responses of the web, whatever serves them. A request of the protocol of 2026 stands for itself; what
 * clients of 2025 send belongs to a session. Which of both it is shows in the request. */
import {
  type AuthInfo,
  createMcpHandler,
  isLegacyRequest,
  type JSONRPCMessage,
  type McpHttpHandler,
  type McpRequestContext,
  type McpServer,
  type Server,
} from "@modelcontextprotocol/server";
import type { AppContext } from "../app-context.ts";
import { authorise } from "../dispatch.ts";
import type { InFlightCalls } from "../in-flight-calls.ts";
import { STREAM_URIS_MAX, STREAMS_MAX, URIS_MAX } from "../limits.ts";
import type { McpCall } from "./http-call.ts";
import { errorOf, streamUrisIn, tooMany } from "./resource-handlers.ts";
import { type Authority, serverFor } from "./server.ts";
import { type SessionLimits, sessionsOf } from "./sessions.ts";
import { type Subscriptions, subscriptionsFor } from "./subscriptions.ts";

export type McpHttp = Readonly<{
  /** `left` tells when nobody reads the answer any longer. */
  handle: (call: McpCall, left: (whenLeft: () => void) => void) => Promise<Response>;
  /** Ends every stream and every session. */
  close(): Promise<void>;
}>;

export type McpHttpOptions = Readonly<{
  appContext: AppContext;
  inFlight: InFlightCalls;
  limits?: Partial<SessionLimits>;
  /** Another server than Bootwright's own on the same wiring, to test that. */
  build?: (era: McpRequestContext["era"], subscriptions: Subscriptions) => Server | McpServer;
}>;

export function mcpHttp({ appContext, inFlight, limits = {}, build: other }: McpHttpOptions): McpHttp {
  const authority = ({ http }: { http?: { authInfo?: AuthInfo } }) => http?.authInfo?.extra?.authority as Authority;
  const build = other ?? serverFor({ appContext, inFlight, authority });
  // Who listens is many clients, and each is told of what it wants by the SDK.
  const streams = subscriptionsFor(
    appContext,
    {
      updated: async (uri) => listening.notify.resourceUpdated(uri),
      listChanged: async () => listening.notify.resourcesChanged(),
    },
    STREAM_URIS_MAX,
  );
  // Streams end by themselves when the server is about to, calls are waited for: the SDK ends only all that one handler has.
  const options = { legacy: "reject" as const, maxSubscriptions: STREAMS_MAX };
  const listening = createMcpHandler(({ era }) => build(era, streams), options);
  const calls = createMcpHandler(({ era }) => build(era, streams), options);
  const sessions = sessionsOf({ appContext, build: (subscriptions) => build("legacy", subscriptions), limits });
  let opened = 0;

  /** What a stream wants to hear of is noted before the SDK opens it, and forgotten when nobody reads it any longer. */
  async function open(call: McpCall, uris: readonly string[], left: (whenLeft: () => void) => void): Promise<Response> {
    const key = String(++opened);
    try {
      authorise(call.authority, "vm:read");
      await streams.begin();
      if (uris.length > URIS_MAX || !streams.add(key, uris)) throw tooMany();
    } catch (thrown) {
      const { code, message, data } = errorOf(appContext, thrown);
      return refused(call.body, code, message, data);
    }
    left(() => streams.remove(key));
    return serve(listening, call);
  }

  const serve = (handler: McpHttpHandler, { request, body, authority }: McpCall) =>
    handler.fetch(request, { parsedBody: body, authInfo: authInfoOf(authority) });
  const onEnding = () => {
    streams.close();
    void listening.close();
    sessions.endStreams();
  };
  inFlight.ending.addEventListener("abort", onEnding, { once: true });

  return {
    async handle(call, left) {
      const { request, body } = call;
      if (inFlight.ending.aborted) return new Response(null, { status: 503 });
      if (await isLegacyRequest(request, body)) return sessions.handle(call, authInfoOf(call.authority), left);
      const uris = streamUrisIn(body as JSONRPCMessage);
      return uris ? open(call, uris, left) : serve(calls, call);
    },
    async close() {
      onEnding();
      await Promise.all([calls.close(), sessions.close()]);
    },
  };
}

/** The token itself is nobody's business behind this point. */
const authInfoOf = (authority: Authority): AuthInfo => ({
  token: "",
  clientId: authority.owner,
  scopes: [],
  extra: { authority },
});

function refused(body: unknown, code: number, message: string, data: unknown): Response {
  const { id = null } = body as { id?: unknown };
  return Response.json({ jsonrpc: "2.0", id, error: { code, message, ...(data !== undefined && { data }) } });
}
