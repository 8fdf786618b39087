/** Sessions of protocol 2025 clients. A session belongs to the caller that opened it, and ends on request or when idle. */
import {
  type AuthInfo,
  isInitializeRequest,
  type McpServer,
  type Server,
  WebStandardStreamableHTTPServerTransport,
} from "@modelcontextprotocol/server";
import type { AppContext } from "../app-context.ts";
import { REPLAY_BYTES_MAX, SESSION_IDLE_MS, SESSIONS_MAX } from "../limits.ts";
import type { McpCall } from "./http-call.ts";
import { replayOf } from "./replay.ts";
import { notifyOn } from "./resource-handlers.ts";
import { type Subscriptions, subscriptionsFor } from "./subscriptions.ts";

export type SessionLimits = Readonly<{
  sessions: number;
  /** A session without requests and streams ends after this time. */
  idleMs: number;
  /** The bytes of newest messages kept for a reconnect. */
  replayBytes: number;
}>;
const usualLimits: SessionLimits = {
  sessions: SESSIONS_MAX,
  idleMs: SESSION_IDLE_MS,
  replayBytes: REPLAY_BYTES_MAX,
};
/** The time after which a client reconnects. */
const RECONNECT_MS = 2_000;

type Open = {
  readonly owner: string;
  readonly transport: WebStandardStreamableHTTPServerTransport;
  /** The requests whose answer is still awaited or read. */
  readers: number;
  /** The timer that ends an idle session. In the map the longest idle session comes first. */
  idle?: NodeJS.Timeout;
};

export type SessionsOptions = Readonly<{
  appContext: AppContext;
  build: (subscriptions: Subscriptions) => Server | McpServer;
  limits: Partial<SessionLimits>;
}>;

export function sessionsOf({ appContext, build, limits }: SessionsOptions) {
  const { sessions: most, idleMs, replayBytes } = { ...usualLimits, ...limits };
  const open = new Map<string, Open>();

  async function begin({ authority }: McpCall): Promise<Open> {
    let server: Server | undefined;
    const subscriptions = subscriptionsFor(
      appContext,
      notifyOn(
        () => server,
        async () => undefined,
      ),
    );
    const transport = new WebStandardStreamableHTTPServerTransport({
      sessionIdGenerator: () => crypto.randomUUID(),
      onsessioninitialized: (id) => void open.set(id, opened),
      eventStore: replayOf(replayBytes),
      retryInterval: RECONNECT_MS,
    });
    const opened: Open = { owner: authority.owner, transport, readers: 0 };
    const built = build(subscriptions);
    server = "server" in built ? built.server : built;
    await built.connect(transport);
    const { onclose } = transport;
    transport.onclose = () => {
      clearTimeout(opened.idle);
      subscriptions.close();
      if (transport.sessionId !== undefined) open.delete(transport.sessionId);
      // Aborts the calls in flight. Each then reads its VM and settles.
      onclose?.();
    };
    return opened;
  }

  /** Ends the longest idle session if the limit is reached. False if no session is idle. */
  async function makeRoom(): Promise<boolean> {
    if (open.size < most) return true;
    const longestIdle = open.values().find(({ readers }) => readers === 0);
    await longestIdle?.transport.close();
    return longestIdle !== undefined;
  }

  /** Counts a reader. Returns the function that releases it: a session without readers is idle. */
  function attend(opened: Open): () => void {
    opened.readers += 1;
    clearTimeout(opened.idle);
    let done = false;
    return () => {
      if (done) return;
      done = true;
      opened.readers -= 1;
      const id = opened.transport.sessionId;
      if (opened.readers > 0 || id === undefined || !open.delete(id)) return;
      open.set(id, opened);
      opened.idle = setTimeout(() => void opened.transport.close(), idleMs);
      opened.idle.unref();
    };
  }

  async function find(call: McpCall): Promise<Open | Response> {
    const id = call.request.headers.get("mcp-session-id");
    if (id !== null) {
      const found = open.get(id);
      // Another caller's session must look like a missing one.
      return found?.owner === call.authority.owner ? found : failure(404, -32_001, "Session not found");
    }
    // Protocol 2026 has only POST, and no session to end.
    if (call.request.method !== "POST") return failure(405, -32_000, "Method not allowed", { allow: "POST" });
    if (!isInitializeRequest(call.body)) return failure(400, -32_000, "Bad Request: Mcp-Session-Id header is required");
    if (await makeRoom()) return begin(call);
    return failure(503, -32_000, `Too many sessions: ${most} are in use`, { "retry-after": "10" });
  }

  return {
    async handle(call: McpCall, authInfo: AuthInfo, left: (whenLeft: () => void) => void): Promise<Response> {
      const { request, body } = call;
      const found = await find(call);
      if (found instanceof Response) return found;
      left(attend(found));
      const answer = await found.transport.handleRequest(request, { parsedBody: body, authInfo });
      // A refused initialisation must leave no transport behind.
      if (found.transport.sessionId === undefined) await found.transport.close();
      return answer;
    },
    /** Ends the standalone streams. Awaited answers continue. */
    endStreams(): void {
      for (const { transport } of open.values()) transport.closeStandaloneSSEStream();
    },
    async close(): Promise<void> {
      await Promise.all([...open.values()].map(({ transport }) => transport.close()));
    },
  };
}

const failure = (status: number, code: number, message: string, headers: Record<string, string> = {}): Response =>
  Response.json({ jsonrpc: "2.0", error: { code, message }, id: null }, { status, headers });
