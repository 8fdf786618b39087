/** The socket of the application, with its limits. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createSecureServer } from "node:https";
import type { AddressInfo } from "node:net";
import { getRequestListener } from "@hono/node-server";
import type { Hono } from "hono";
import type { Environment } from "./environment.ts";
import { faultInTarget } from "./host-origin-check.ts";
import { HttpError } from "./http-error.ts";
import { problemResponse } from "./problem.ts";
import { limitUnauthenticated } from "./unauthenticated-connections.ts";
import { acceptWebSockets, asksForConsole, requestOf } from "./web-socket.ts";

export type ListenerOptions = Readonly<{
  app: Hono<Environment>;
  address: string;
  port: number;
  tls?: Readonly<{ cert: string; key: string }>;
  limits?: Partial<Limits>;
}>;

export type Limits = Readonly<{
  headersMs: number;
  requestMs: number;
  /** The time for a body to arrive, in milliseconds. */
  bodyMs: number;
  connections: number;
  /** How many connections may be unauthenticated. */
  unauthenticated: number;
}>;
const usualLimits: Limits = {
  headersMs: 10_000,
  requestMs: 30_000,
  bodyMs: 15_000,
  connections: 1_024,
  unauthenticated: 512,
};
const HEADER_BYTES_MAX = 16_384;
const HEADERS_MAX = 100;
const CHECK_MS = 1_000;

export type Listener = Readonly<{
  /** The address and port on which it listens. */
  at: AddressInfo;
  server: Server;
  /** Accepts no more connections. Resolves when the last response is sent. */
  close(): Promise<void>;
  /** Ends all open connections. */
  cut(): void;
}>;

/** @throws the operating system's error if it cannot listen */
export async function listen({ app, address, port, tls, limits }: ListenerOptions): Promise<Listener> {
  const { headersMs, requestMs, bodyMs, connections, unauthenticated } = { ...usualLimits, ...limits };
  const settings = {
    maxHeaderSize: HEADER_BYTES_MAX,
    headersTimeout: headersMs,
    requestTimeout: requestMs,
    connectionsCheckingInterval: Math.min(CHECK_MS, headersMs),
    // Requests for other upgrades, such as HTTP/2, are answered without the upgrade.
    shouldUpgradeCallback: asksForConsole,
  };
  const server: Server = tls
    ? createSecureServer({ ...settings, ...tls, handshakeTimeout: headersMs })
    : createServer(settings);
  server.maxHeadersCount = HEADERS_MAX;
  server.maxConnections = connections;
  const markAuthenticated = limitUnauthenticated(server, unauthenticated);
  const scheme = tls ? ("https" as const) : ("http" as const);
  const bindings = ({ socket }: IncomingMessage): Environment["Bindings"] => {
    const { localAddress = address, localPort = port, remoteAddress = "" } = socket;
    return {
      here: { address: localAddress, port: localPort, scheme },
      remote: remoteAddress,
      bodyMs,
      authenticated: () => markAuthenticated(socket),
    };
  };
  const handle = getRequestListener(
    (request, { incoming }) => app.fetch(request, bindings(incoming as IncomingMessage)),
    { overrideGlobalObjects: false, errorHandler: () => malformed("it cannot be read as HTTP") },
  );
  server.on("request", (incoming: IncomingMessage, outgoing: ServerResponse) => {
    const trick = faultInTarget(incoming.url ?? "");
    if (trick === undefined) return void handle(incoming, outgoing);
    void malformed(trick)
      .text()
      .then((text) => outgoing.writeHead(400, { "content-type": "application/problem+json" }).end(text));
  });
  const cutUpgraded = acceptWebSockets(server, async (incoming, signal, upgrade) => {
    const trick = faultInTarget(incoming.url ?? "");
    if (trick !== undefined) return malformed(trick);
    if (!URL.canParse(`${scheme}://${incoming.headers.host}`)) return malformed("it cannot be read as HTTP");
    return app.fetch(requestOf(incoming, scheme, signal), { ...bindings(incoming), ...(upgrade && { upgrade }) });
  });
  await new Promise<void>((listening, failed) => {
    server.once("error", failed).listen({ host: address, port, exclusive: true }, () => {
      server.off("error", failed);
      listening();
    });
  });
  return {
    at: server.address() as AddressInfo,
    server,
    close: () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeIdleConnections();
      return closed;
    },
    cut() {
      server.closeAllConnections();
      cutUpgraded();
    },
  };
}

const malformed = (reason: string) => problemResponse(new HttpError("REQUEST_MALFORMED", { reason }));
