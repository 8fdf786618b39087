/** MCP on web-standard requests and responses. A request of protocol 2026 is self-contained. A request of protocol 2025
 * belongs to a session. The request shows its protocol. */
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
  /** `left` registers a function that is called when the reader of the answer has left. */
  handle: (call: McpCall, left: (whenLeft: () => void) => void) => Promise<Response>;
  /** Ends every stream and every session. */
  close(): Promise<void>;
}>;

export type McpHttpOptions = Readonly<{
  appContext: AppContext;
  inFlight: InFlightCalls;
  limits?: Partial<SessionLimits>;
  /** Another MCP server in place of Bootwright's, for tests of this wiring. */
  build?: (era: McpRequestContext["era"], subscriptions: Subscriptions) => Server | McpServer;
}>;

export function mcpHttp({ appContext, inFlight, limits = {}, build: other }: McpHttpOptions): McpHttp {
  const authority = ({ http }: { http?: { authInfo?: AuthInfo } }) => http?.authInfo?.extra?.authority as Authority;
  const build = other ?? serverFor({ appContext, inFlight, authority });
  // There are many listening clients. The SDK sends each one the updates that it wants.
  const streams = subscriptionsFor(
    appContext,
    {
      updated: async (uri) => listening.notify.resourceUpdated(uri),
      listChanged: async () => listening.notify.resourcesChanged(),
    },
    STREAM_URIS_MAX,
  );
  // Streams end when the server begins to end, and calls are awaited. The SDK can end only a whole handler, hence two.
  const options = { legacy: "reject" as const, maxSubscriptions: STREAMS_MAX };
  const listening = createMcpHandler(({ era }) => build(era, streams), options);
  const calls = createMcpHandler(({ era }) => build(era, streams), options);
  const sessions = sessionsOf({ appContext, build: (subscriptions) => build("legacy", subscriptions), limits });
  let opened = 0;

  /** Adds a stream's subscriptions before the SDK opens it, and removes them when its reader has left. */
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

/** The SDK does not get the token itself. */
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
