/** The listener for guests. It serves guest links alone, each for one VM and one plugin. A guest on user-mode networking
 * reaches its host's loopback, so nothing else may be served here. Every other request gets the same empty answer. */
import { createServer, type Server } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { setTimeout as after } from "node:timers/promises";
import { getRequestListener } from "@hono/node-server";
import { getConnInfo } from "@hono/node-server/conninfo";
import { Hono } from "hono";
import { type LinkStore, linkPath, linkSubject, timeLeft } from "../domain/guest-link.ts";
import { readWithin } from "./body.ts";
import { type RateLimit, rateLimited } from "./rate-limit.ts";

export type GuestListenerOptions = Readonly<{
  address: string;
  port: number;
  /** The connections whose VMs may have links. */
  connections: readonly string[];
  store: () => Promise<LinkStore>;
  /** Passes a request to a plugin. `vm` is `connection/uuid`. */
  handle: (plugin: string, request: Request, context: Readonly<{ vm: string }>) => Promise<Response>;
  log: (message: string) => void;
  /** Writes a defect's stack to stderr and returns its id. */
  defect: (error: unknown) => string;
  now?: () => Date;
  rate?: RateLimit;
  /** The time for a request to arrive. */
  requestLimitMs?: number;
}>;

export type GuestListener = Readonly<{
  /** The address, once it listens. While another process has the port, this stays pending. */
  listening: Promise<AddressInfo>;
  close(): Promise<void>;
}>;

const BODY_BYTES_MAX = 65_536;
const HEADER_BYTES_MAX = 8_192;
const HEADERS_MAX = 50;
const REQUEST_LIMIT_MS = 15_000;
const CHECK_MS = 1_000;
/** Longer than a plugin's longest answer. */
const IDLE_LIMIT_MS = 120_000;
const CONNECTIONS_MAX = 128;
const CONNECTIONS_PER_ADDRESS_MAX = 32;
/** All guests on user-mode networking have the same address. */
const RATE: RateLimit = { burst: 60, perSecond: 5 };
const LISTEN_AGAIN_MS = 5_000;
const RETRY_AFTER = "10";

/** Listens, and retries while it cannot. Several servers may have the same port in their settings. The one that gets it
 * serves the links of all servers on the database. */
export function listenForGuests(options: GuestListenerOptions): GuestListener {
  // The Host header is ignored, and HTTP/1.0 has none.
  const listener = getRequestListener(guestRoutes(options).fetch, {
    hostname: "guest.invalid",
    overrideGlobalObjects: false,
    errorHandler: () => emptyAnswer(),
  });
  const server = createServer({
    maxHeaderSize: HEADER_BYTES_MAX,
    requestTimeout: options.requestLimitMs ?? REQUEST_LIMIT_MS,
    headersTimeout: options.requestLimitMs ?? REQUEST_LIMIT_MS,
    connectionsCheckingInterval: CHECK_MS,
  });
  server.on("request", listener);
  server.maxHeadersCount = HEADERS_MAX;
  server.maxConnections = CONNECTIONS_MAX;
  server.maxRequestsPerSocket = 1;
  server.timeout = IDLE_LIMIT_MS;
  server.on("connection", limitPerAddress());
  server.on("clientError", (_error, socket) => socket.destroy());
  const ending = new AbortController();
  const listening = listenUntil(server, options, ending.signal);
  // Closing rejects it, and possibly nobody awaits it.
  listening.catch(() => undefined);
  return {
    listening,
    close: () =>
      new Promise((closed) => {
        ending.abort();
        server.close(() => closed());
        server.closeAllConnections();
      }),
  };
}

/** Ends connections over the limit of one address. */
function limitPerAddress(): (socket: Socket) => void {
  const held = new Map<string, number>();
  return (socket) => {
    const address = socket.remoteAddress ?? "";
    const count = (held.get(address) ?? 0) + 1;
    held.set(address, count);
    socket.once("close", () => {
      const left = held.get(address)! - 1;
      if (left > 0) held.set(address, left);
      else held.delete(address);
    });
    if (count > CONNECTIONS_PER_ADDRESS_MAX) socket.destroy();
  };
}

async function listenUntil(
  server: Server,
  { address, port, log }: GuestListenerOptions,
  signal: AbortSignal,
): Promise<AddressInfo> {
  const logged = new Set<string>();
  for (;;) {
    try {
      await new Promise<void>((listening, failed) => {
        server.once("error", failed).listen({ host: address, port, exclusive: true }, () => {
          server.off("error", failed);
          listening();
        });
      });
      return server.address() as AddressInfo;
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      const reason =
        code === "EADDRINUSE"
          ? "another process has that port; if it is another Bootwright, it serves the guests"
          : message;
      if (!logged.has(reason)) log(`cannot listen for guests on ${address}:${port} yet: ${reason}. Trying again`);
      logged.add(reason);
    }
    await after(LISTEN_AGAIN_MS, undefined, { signal, ref: false });
  }
}

/** The routes of the listener. */
function guestRoutes(options: GuestListenerOptions): Hono {
  const { handle, defect, now = () => new Date() } = options;
  const isWithinRate = rateLimited(options.rate ?? RATE, () => now().getTime());
  const app = new Hono();
  app.use(async (context, next) => {
    const { address = "" } = getConnInfo(context).remote;
    // Hono answers HEAD by the GET route, which would use up the link.
    const { method } = context.req.raw;
    if (!isWithinRate(address)) context.res = emptyAnswer(429, { "retry-after": RETRY_AFTER });
    else if (method !== "GET" && method !== "POST") context.res = emptyAnswer();
    else await next();
    context.header("cache-control", "no-store");
    context.header("connection", "close");
    context.header("x-content-type-options", "nosniff");
  });
  const bounds = { bytesMax: BODY_BYTES_MAX, limitMs: options.requestLimitMs ?? REQUEST_LIMIT_MS };
  app.on(["GET", "POST"], linkPath(":plugin", ":uuid", ":token"), async (context) => {
    const { plugin, uuid, token } = context.req.param() as Record<"plugin" | "uuid" | "token", string>;
    if (timeLeft(token, now()) === 0 || !/^[\w.-]{1,64}$/.test(plugin) || !/^[0-9a-f-]{36}$/.test(uuid))
      return emptyAnswer();
    const method = context.req.method;
    // The body is read before the link is taken, so that a slow guest does not hold the link.
    const body = method === "POST" ? await readWithin(context.req.raw, bounds).catch(() => undefined) : null;
    if (body === undefined) return emptyAnswer(413);
    const link = await takeLink(options, plugin, uuid, token);
    if (!link) return emptyAnswer();
    let isDone = false;
    try {
      const type = context.req.header("content-type");
      // A new request: the plugin gets neither the link nor the guest's other headers.
      const request = new Request(`http://guest.invalid/plugins/${plugin}/`, {
        method,
        body,
        ...(type !== undefined && { headers: { "content-type": type } }),
      });
      const response = await handle(plugin, request, { vm: link.vm });
      isDone = response.ok;
      return response;
    } finally {
      if (!isDone) await link.giveBack();
    }
  });
  app.notFound(() => emptyAnswer());
  app.onError((error) => {
    defect(error);
    return emptyAnswer(503, { "retry-after": RETRY_AFTER });
  });
  return app;
}

/** Takes a link, so that no other request can use it until it is given back. */
async function takeLink(
  { connections, store, now = () => new Date() }: GuestListenerOptions,
  plugin: string,
  uuid: string,
  token: string,
): Promise<{ vm: string; giveBack: () => Promise<void> } | undefined> {
  const links = await store();
  for (const connection of connections) {
    const subject = linkSubject(plugin, { connection, uuid });
    if (!(await links.takeConfirmation(token, subject))) continue;
    const giveBack = async () => {
      const leftMs = timeLeft(token, now());
      if (leftMs > 0) await links.offerConfirmation(token, subject, leftMs);
    };
    return { vm: `${connection}/${uuid}`, giveBack };
  }
  return undefined;
}

const emptyAnswer = (status = 404, headers: Record<string, string> = {}): Response =>
  new Response(null, { status, headers: { "content-length": "0", ...headers } });
