/** Opens and closes, in order, all parts of serving HTTP. */
import { readFileSync } from "node:fs";
import type { Server } from "node:http";
import { isIP } from "node:net";
import type { Hono } from "hono";
import type { AppContext } from "../app-context.ts";
import { createInFlightCalls } from "../in-flight-calls.ts";
import { type McpHttpOptions, mcpHttp } from "../mcp/http.ts";
import { application, type Rates } from "./application.ts";
import type { ConsoleLimits } from "./console.ts";
import type { Environment } from "./environment.ts";
import { type Limits, listen } from "./listener.ts";
import { loginsFor } from "./login.ts";
import { type OAuthSettings, oauthOf } from "./oauth.ts";
import { mainToken, TokenError, tokensIn } from "./token.ts";

export type HttpServerOptions = Readonly<{
  appContext: AppContext;
  /** The directory of the database and the tokens. */
  data: string;
  address: string;
  port: number;
  allowHosts: readonly string[];
  /** The main token, or its file. */
  token?: string;
  tokenFile?: string;
  /** Files of certificate and key, in PEM. */
  tls?: Readonly<{ cert: string; key: string }>;
  log: (message: string) => void;
  oauth?: OAuthSettings;
  rates?: Partial<Rates>;
  consoles?: Partial<ConsoleLimits>;
  mcp?: Pick<McpHttpOptions, "limits" | "build">;
  limits?: Partial<Limits>;
  /** The heartbeat interval of event streams. */
  heartbeatMs?: number;
  /** Passes requests below /plugins/<name>/ to a plugin. */
  plugins?: (plugin: string, request: Request) => Promise<Response>;
  /** Adds further routes behind the same checks. */
  mount?: (app: Hono<Environment>) => void;
}>;

export type HttpServer = Readonly<{
  url: string;
  /** Node's own server, for upgrades of connections. */
  server: Server;
  /** A link that logs a browser in once, within ten minutes. */
  loginLink: () => string;
  /** Accepts no more requests. Resolves when the calls in flight are settled, or at their time limit. */
  close(): Promise<void>;
}>;

/** Connections still open this long after all calls are done carry no answer, and are cut. */
const CUT_AFTER_MS = 1_000;

/** @throws TokenError, or the operating system's error if it cannot listen */
export async function serveHttp(options: HttpServerOptions): Promise<HttpServer> {
  const { appContext, data, address, port, allowHosts, log } = options;
  const token = mainToken(data, {
    ...(options.token !== undefined && { token: options.token }),
    ...(options.tokenFile !== undefined && { file: options.tokenFile }),
  });
  const find = tokensIn(data, token, log);
  const logins = loginsFor(token, find);
  const inFlight = createInFlightCalls();
  const mcp = mcpHttp({ appContext, inFlight, ...options.mcp });
  const app = application({
    appContext,
    find,
    logins,
    inFlight,
    mcp,
    ...(options.oauth && { oauth: oauthOf(options.oauth) }),
    allowHosts: allowHosts.map((name) => name.toLowerCase()),
    ...(options.rates && { rates: options.rates }),
    ...(options.consoles && { consoles: options.consoles }),
    ...(options.heartbeatMs !== undefined && { heartbeatMs: options.heartbeatMs }),
    ...(options.plugins && { plugins: options.plugins }),
    ...(options.mount && { mount: options.mount }),
  });
  const listener = await listen({
    app,
    address,
    port,
    ...(options.tls && { tls: { cert: readPem(options.tls.cert), key: readPem(options.tls.key) } }),
    ...(options.limits && { limits: options.limits }),
  });
  const host = hostFor(listener.at.address);
  const url = `${options.tls ? "https" : "http"}://${host}:${listener.at.port}`;
  return {
    url,
    server: listener.server,
    loginLink: () => `${url}/login#${logins.ticket()}`,
    async close() {
      const closed = listener.close();
      await inFlight.end();
      await mcp.close();
      const cut = setTimeout(() => listener.cut(), CUT_AFTER_MS);
      await closed;
      clearTimeout(cut);
    },
  };
}

/** The wildcard address is no address to connect to. */
function hostFor(address: string): string {
  if (address === "0.0.0.0" || address === "::") return "localhost";
  return isIP(address) === 6 ? `[${address}]` : address;
}

function readPem(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new TokenError(`Cannot read ${path}: ${error instanceof Error ? error.message : error}`);
  }
}
