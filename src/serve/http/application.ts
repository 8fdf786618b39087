/** The HTTP application: from a web-standard request to its response, on any runtime. Unauthenticated callers reach only
 * the login page. */
import { Hono } from "hono";
import { deleteCookie, getCookie, setCookie } from "hono/cookie";
import { secureHeaders } from "hono/secure-headers";
import type { AppContext } from "../app-context.ts";
import { defectOf } from "../defect.ts";
import type { InFlightCalls } from "../in-flight-calls.ts";
import type { McpHttp } from "../mcp/http.ts";
import { addMcp, MCP_PATH } from "../mcp/route.ts";
import { type RateLimit, rateLimited } from "../rate-limit.ts";
import { apiReferencePage, apiReferenceStyle } from "./api-reference-page.ts";
import { objectIn, readBody } from "./body.ts";
import { addConsoles, type ConsoleLimits } from "./console.ts";
import { type Environment, type HttpContext, requireScope } from "./environment.ts";
import { addEvents } from "./events.ts";
import { checkHost, checkOrigin, checkSameOrigin } from "./host-origin-check.ts";
import { HttpError } from "./http-error.ts";
import { type Logins, loginPage, loginScript, loginStyle, SESSION_SECONDS } from "./login.ts";
import type { OAuth, Verified } from "./oauth.ts";
import { openApiOf } from "./openapi.ts";
import type { OpenApi } from "./openapi-document.ts";
import { isProblem, problemResponse } from "./problem.ts";
import { addRest } from "./rest.ts";
import type { Caller, FindCaller } from "./token.ts";

export type ApplicationOptions = Readonly<{
  appContext: AppContext;
  find: FindCaller;
  logins: Logins;
  inFlight: InFlightCalls;
  /** Further host names of this server, each for one port or for any. */
  allowHosts: readonly string[];
  rates?: Partial<Rates>;
  consoles?: Partial<ConsoleLimits>;
  /** The issuer whose access tokens are accepted beside this server's own tokens. */
  oauth?: OAuth;
  mcp: McpHttp;
  /** The heartbeat interval of streams. */
  heartbeatMs?: number;
  /** Passes requests below /plugins/<name>/ to a plugin. */
  plugins?: (plugin: string, request: Request) => Promise<Response>;
  /** Adds further routes behind the same checks. */
  mount?: (app: Hono<Environment>) => void;
}>;

/** The rates of failed authentications of one address, and of reads and changes of one caller. */
export type Rates = Readonly<{ unauthenticated: RateLimit; reads: RateLimit; changes: RateLimit }>;
const usualRates: Rates = {
  unauthenticated: { burst: 20, perSecond: 1 },
  reads: { burst: 2_000, perSecond: 1_000 },
  changes: { burst: 200, perSecond: 20 },
};

const policy = {
  defaultSrc: ["'self'"],
  imgSrc: ["'self'", "data:"],
  objectSrc: ["'none'"],
  baseUri: ["'none'"],
  formAction: ["'self'"],
  frameAncestors: ["'none'"],
};

export function application(options: ApplicationOptions): Hono<Environment> {
  const app = new Hono<Environment>();
  app.use("/plugins/*", async (context, next) => {
    await next();
    // A plugin's page must not act as its reader, so the sandbox gives it no origin and no scripts.
    context.header("content-security-policy", "sandbox; frame-ancestors 'none'");
  });
  app.use(async (context, next) => {
    await next();
    const [common, more] = [context.res.headers.get("content-security-policy"), context.get("policy")];
    if (more !== undefined) context.header("content-security-policy", `${common}; ${more}`);
  });
  app.use(
    secureHeaders({
      contentSecurityPolicy: policy,
      referrerPolicy: "no-referrer",
      xFrameOptions: "DENY",
      crossOriginOpenerPolicy: "same-origin",
      crossOriginResourcePolicy: "same-origin",
      strictTransportSecurity: false,
    }),
  );
  app.use(async (context, next) => {
    checkHost(context.req.header("host"), context.env.here, options.allowHosts);
    checkOrigin(context.req.raw.headers, context.env.here);
    await next();
    if (!context.res.headers.has("cache-control")) context.header("cache-control", "no-store");
    if (context.env.here.scheme === "https") context.header("strict-transport-security", "max-age=31536000");
  });
  const rates = { ...usualRates, ...options.rates };
  addLogin(app, options, rates.unauthenticated);
  addMetadata(app, options);
  app.use(authenticate(options, rates));
  app.post("/logout", (context) => {
    const session = context.get("session");
    if (session !== undefined) options.logins.close(session);
    deleteCookie(context, cookieName(context), { path: "/", secure: context.env.here.scheme === "https" });
    return context.body(null, 204);
  });
  addReference(app, options);
  addEvents(app, options);
  addConsoles(app, options);
  addRest(app, options);
  addMcp(app, options);
  addPlugins(app, options);
  options.mount?.(app);
  app.notFound((context) =>
    problemResponse(new HttpError("ROUTE_NOT_FOUND", { path: shownPath(context) }), shownPath(context)),
  );
  app.onError((error, context) => {
    if (isProblem(error) && error.code === "UNAUTHORISED" && wantsPage(context)) return context.redirect("/login", 303);
    const refusal = isProblem(error) ? error : new HttpError("DEFECT", { id: defectOf(options.appContext, error).id });
    return problemResponse(refusal, shownPath(context));
  });
  return app;
}

const shownPath = ({ req }: HttpContext) => req.path.slice(0, 500);
const wantsPage = ({ req }: HttpContext) =>
  req.method === "GET" && !req.path.startsWith("/api/") && (req.header("accept") ?? "").includes("text/html");

/** Cookies do not differ by port, so the name has the port: two servers on one host must not end each other's sessions. */
const cookieName = ({ env: { here } }: HttpContext) =>
  here.scheme === "https" ? `__Host-bootwright-${here.port}` : `bootwright-${here.port}`;

function addLogin(app: Hono<Environment>, { logins }: ApplicationOptions, rate: RateLimit): void {
  const isWithinRate = rateLimited(rate, () => performance.now());
  const file = (type: string, text: string) => (context: HttpContext) =>
    context.body(text, 200, { "content-type": `${type}; charset=utf-8` });
  app.get("/login", (context) => {
    context.header("vary", "Accept-Language");
    return context.html(loginPage(context.req.header("accept-language") ?? ""));
  });
  app.get("/login.js", file("text/javascript", loginScript));
  app.get("/login.css", file("text/css", loginStyle));
  app.post("/login", async (context) => {
    checkSameOrigin(context.req.method, context.req.raw.headers);
    const { ticket, token } = objectIn(await readBody(context), context.req.raw);
    const session = logins.open({
      ...(typeof ticket === "string" && { ticket }),
      ...(typeof token === "string" && { token }),
    });
    if (session === undefined) {
      if (!isWithinRate(context.env.remote)) throw tooMany(1);
      throw new HttpError("TICKET_INVALID", {});
    }
    setCookie(context, cookieName(context), session, {
      path: "/",
      httpOnly: true,
      sameSite: "Strict",
      secure: context.env.here.scheme === "https",
      maxAge: SESSION_SECONDS,
    });
    return context.body(null, 204);
  });
}

function addReference(app: Hono<Environment>, { appContext }: ApplicationOptions): void {
  // Made once, at the first request.
  let made: OpenApi | undefined;
  const document = () => (made ??= openApiOf(appContext.tools, appContext.version));
  app.get("/api/openapi.json", (context) => context.json(document()));
  app.get("/api/docs", (context) => context.html(apiReferencePage(document())));
  app.get("/api/docs.css", (context) => context.body(apiReferenceStyle, 200, { "content-type": "text/css" }));
}

/** A plugin does not learn who calls: the token and the cookie stay here. */
function addPlugins(app: Hono<Environment>, { plugins }: ApplicationOptions): void {
  app.all("/plugins/:name/*", async (context) => {
    const { method, url, headers } = context.req.raw;
    requireScope(context, method === "GET" || method === "HEAD" ? "vm:read" : "vm:write");
    const { name } = context.req.param();
    if (!plugins) throw new HttpError("ROUTE_NOT_FOUND", { path: shownPath(context) });
    const sentHeaders = new Headers(headers);
    for (const secret of ["authorization", "cookie"]) sentHeaders.delete(secret);
    const body = method === "GET" || method === "HEAD" ? null : await readBody(context);
    const answer = await plugins(name, new Request(url, { method, headers: sentHeaders, body }));
    const responseHeaders = new Headers(answer.headers);
    // A plugin must log nobody in or out.
    for (const header of ["set-cookie", "clear-site-data", "www-authenticate"]) responseHeaders.delete(header);
    return new Response(answer.body, { status: answer.status, headers: responseHeaders });
  });
}

/** The metadata that names the issuer of access tokens (RFC 9728). Clients without a token must reach it. */
function addMetadata(app: Hono<Environment>, { oauth }: ApplicationOptions): void {
  const metadata = (context: HttpContext) => {
    if (!oauth) throw new HttpError("ROUTE_NOT_FOUND", { path: shownPath(context) });
    return context.json(oauth.metadata);
  };
  for (const path of ["", "/*"]) app.get(`/.well-known/oauth-protected-resource${path}`, metadata);
}

/** Refuses callers without a valid token or session. */
function authenticate(options: ApplicationOptions, rates: Rates) {
  const { oauth } = options;
  const now = () => performance.now();
  const [unauthenticated, reads, changes] = [rates.unauthenticated, rates.reads, rates.changes].map((rate) =>
    rateLimited(rate, now),
  ) as [ReturnType<typeof rateLimited>, ReturnType<typeof rateLimited>, ReturnType<typeof rateLimited>];
  return async (context: HttpContext, next: () => Promise<void>): Promise<void> => {
    const known = await verifyToken(context, oauth);
    const now = () => (known ? unexpiredCaller(known) : callerOf(context, options));
    const caller = now();
    if (typeof caller === "string") {
      // Only failures are counted: guests reach this address too, and must not lock its owner out.
      if (!unauthenticated(context.env.remote)) throw tooMany(1);
      const challenge = oauth?.challenge(context.req.header("authorization") ? "invalid_token" : undefined);
      const headers = { "www-authenticate": challenge ?? 'Bearer realm="bootwright"' };
      throw new HttpError("UNAUTHORISED", { reason: caller }, headers);
    }
    context.env.authenticated();
    const countChange = () => {
      if (!changes(caller.name)) throw tooMany(1);
    };
    // A POST to MCP may be a read or a change. MCP's route counts it once it has parsed the message.
    const isLook = ["GET", "HEAD"].includes(context.req.method) || context.req.path === MCP_PATH;
    if (!isLook) countChange();
    else if (!reads(caller.name)) throw tooMany(1);
    context.set("caller", caller);
    context.set("countChange", countChange);
    context.set("isStillAuthenticated", () => typeof now() !== "string");
    if (oauth) context.set("challenge", (scope) => oauth.challenge("insufficient_scope", scope));
    await next();
  };
}

const bearer = (context: HttpContext) => /^Bearer +(\S+)$/i.exec(context.req.header("authorization") ?? "")?.[1];

/** The issuer's verdict on the token. Undefined for a token of this server, or none. */
async function verifyToken(context: HttpContext, oauth: OAuth | undefined): Promise<Verified | string | undefined> {
  const token = bearer(context);
  return token === undefined ? undefined : oauth?.verify(token);
}
const unexpiredCaller = (known: Verified | string): Caller | string => {
  if (typeof known === "string" || known.until > Date.now()) return typeof known === "string" ? known : known.caller;
  return "this access token has expired";
};

/** The caller, or the reason why the caller is unknown. */
function callerOf(context: HttpContext, { find, logins }: ApplicationOptions): Caller | string {
  if (context.req.header("authorization") !== undefined) {
    const token = bearer(context);
    return (token !== undefined && find(token)) || "this token is not one of this server's";
  }
  const cookie = getCookie(context, cookieName(context));
  if (cookie === undefined) return "no token was sent";
  const caller = logins.caller(cookie);
  if (!caller) return "this session has ended";
  checkSameOrigin(context.req.method, context.req.raw.headers);
  context.set("session", cookie);
  return caller;
}

const tooMany = (retryAfterSeconds: number) =>
  new HttpError("RATE_EXCEEDED", { retryAfterSeconds }, { "retry-after": String(retryAfterSeconds) });
