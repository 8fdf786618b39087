/** The tools as routes below /api. */
import { setTimeout as after } from "node:timers/promises";
import type { Hono } from "hono";
import { DomainError } from "../../domain/error.ts";
import type { State } from "../../domain/model/state.ts";
import { scopeFor } from "../../domain/scope.ts";
import type { AppContext } from "../app-context.ts";
import { defectOf } from "../defect.ts";
import { type Dispatcher, dispatcherFor, type GivenCall, type Principal } from "../dispatch.ts";
import type { InFlightCalls } from "../in-flight-calls.ts";
import { parseArgument } from "../parse-argument.ts";
import { objectIn, readBody } from "./body.ts";
import { entityTagOf, ifMatchCheck, matchesIfNoneMatch } from "./conditional-request.ts";
import { type Environment, type HttpContext, principalIn, requireScope } from "./environment.ts";
import { HttpError } from "./http-error.ts";
import { type KeyedAnswer, withIdempotencyKey } from "./idempotency-key.ts";
import { respondAsync } from "./prefer-header.ts";
import { isProblem, problemResponse } from "./problem.ts";
import { parametersOf, type Route, routesOf } from "./route.ts";

export type RestOptions = Readonly<{ appContext: AppContext; inFlight: InFlightCalls }>;

type Rest = RestOptions & Readonly<{ dispatch: Dispatcher }>;

export function addRest(app: Hono<Environment>, given: RestOptions): void {
  const options = { ...given, dispatch: dispatcherFor(given) };
  const routes = routesOf(options.appContext.tools);
  const pathOf = (path: string) => `/api${path.replaceAll(/\{(\w+)\}/g, ":$1")}`;
  for (const route of routes) {
    app.on(route.method, pathOf(route.path), (context) =>
      route.effect === "read" ? serveRead(options, route, context) : serveChange(options, route, context),
    );
  }
  for (const [path, same] of Map.groupBy(routes, (route) => route.path)) {
    const allowed = same.map(({ method }) => method);
    app.all(pathOf(path), (context) => {
      const details = { method: context.req.method, allowed };
      throw new HttpError("METHOD_NOT_ALLOWED", details, { allow: allowed.join(", ") });
    });
  }
}

async function serveRead(options: Rest, route: Route, context: HttpContext): Promise<Response> {
  requireScope(context, scopeFor[route.effect]);
  let seen: State | undefined;
  // A read is aborted when its client leaves.
  const signal = AbortSignal.any([options.inFlight.signal, context.req.raw.signal]);
  const observed = (state: State) => {
    seen = state;
  };
  const args = argumentsOf(route, context, queryOf(route, context));
  const body = JSON.stringify(await run(options, route, args, principalIn(context), { signal, observed }));
  const tag = entityTagOf(body, seen);
  if (matchesIfNoneMatch(context.req.header("if-none-match"), tag))
    return new Response(null, { status: 304, headers: { etag: tag } });
  return new Response(body, { headers: { etag: tag, "content-type": "application/json" } });
}

async function serveChange(options: Rest, route: Route, context: HttpContext): Promise<Response> {
  const caller = requireScope(context, scopeFor[route.effect]);
  const { req } = context;
  const body = await readBody(context);
  const sent = route.method === "POST" ? objectIn(body, req.raw) : queryOf(route, context);
  const args = argumentsOf(route, context, sent);
  const header = req.header("idempotency-key");
  if (header === undefined) return (await carryOut(options, route, args, context)).response;
  const { pathname, search } = new URL(req.url);
  const asked = { caller: caller.name, method: route.method, path: `${pathname}${search}`, body };
  const { store } = options.appContext.services;
  // The answer is stored, even a refusal, once something may have been done.
  return withIdempotencyKey(store, header, asked, (begun) => carryOut(options, route, args, context, begun));
}

/** A change continues even if its client leaves. */
async function carryOut(
  options: Rest,
  route: Route,
  args: Record<string, unknown>,
  context: HttpContext,
  noteBegun?: (operation: string) => Promise<void>,
): Promise<KeyedAnswer> {
  const { req } = context;
  const ifMatch = req.header("if-match");
  if (ifMatch !== undefined && !route.conditional)
    throw new HttpError("REQUEST_MALFORMED", {
      reason: "nothing at this path has an entity tag, so If-Match does not apply",
    });
  let operation: string | undefined;
  const begun = Promise.withResolvers<string>();
  const running = run(options, route, args, principalIn(context), {
    signal: options.inFlight.signal,
    async begun(id) {
      operation = id;
      await noteBegun?.(id);
      begun.resolve(id);
    },
    ...(ifMatch !== undefined && { expect: ifMatchCheck(ifMatch) }),
  });
  const preference = respondAsync(req.header("prefer"));
  if (preference && route.followable) {
    const early = await begunAfter(preference.waitMs, running, begun.promise);
    if (early !== undefined) {
      // The outcome is in the history, and a defect in the log.
      running.catch(() => undefined);
      return { response: accepted(early), isFinal: true };
    }
  }
  try {
    const response = done(route, await running);
    return { response, isFinal: true, isSecret: route.secret, ...(operation !== undefined && { operation }) };
  } catch (error) {
    if (isProblem(error) && operation === undefined) throw error;
    // Whatever was done before a defect is unknown.
    const refusal = isProblem(error) ? error : defectIn(options.appContext, error, operation);
    return { response: problemResponse(refusal, req.path.slice(0, 500)), isFinal: true };
  }
}

const defectIn = (appContext: AppContext, error: unknown, operation: string | undefined) =>
  new HttpError("DEFECT", { id: defectOf(appContext, error).id, ...(operation !== undefined && { operation }) });

/** The operation's id, if it has begun and is not done after `ms`. Undefined if it is done, with or without an error. */
async function begunAfter(ms: number, running: Promise<unknown>, begun: Promise<string>): Promise<string | undefined> {
  const ending = new AbortController();
  const over = running.then(
    () => undefined,
    () => undefined,
  );
  const time = after(ms, undefined, { signal: ending.signal }).catch(() => undefined);
  const early = await Promise.race([over, time.then(() => begun)]);
  ending.abort();
  return early;
}

const accepted = (operation: string): Response =>
  Response.json(
    { operation },
    { status: 202, headers: { location: `/api/operations/${operation}`, "preference-applied": "respond-async" } },
  );

function done(route: Route, data: Record<string, unknown>): Response {
  if (route.made === undefined || data.changed !== true || data.dry_run === true) return Response.json(data);
  const { uuid } = data.vm as { uuid: string };
  return Response.json(data, { status: route.made, headers: { location: `/api/vms/${uuid}` } });
}

async function run(
  { dispatch }: Rest,
  route: Route,
  args: Record<string, unknown>,
  principal: Principal,
  call: Partial<GivenCall> & Pick<GivenCall, "signal">,
): Promise<Record<string, unknown>> {
  const asked = route.call(args);
  return dispatch.call(principal, asked.tool, asked.args, { progress: () => {}, ...call });
}

/** A tool's arguments from path, query and body. The tool validates them.
 * @throws DomainError INPUT_INVALID */
function argumentsOf(route: Route, { req }: HttpContext, sent: Record<string, unknown>): Record<string, unknown> {
  const inPath = Object.fromEntries(parametersOf(route.path).map((name) => [name, req.param(name)!]));
  const twice = Object.keys(inPath).filter((name) => Object.hasOwn(sent, name));
  const stray = route.method === "POST" ? [...new URL(req.url).searchParams.keys()] : [];
  const issues = [
    ...twice.map((name) => `${name}: is in the path already`),
    ...stray.slice(0, 10).map((name) => `${name.slice(0, 100)}: belongs in the body`),
  ];
  if (issues.length) throw new DomainError("INPUT_INVALID", { issues });
  return { ...sent, ...inPath };
}

function queryOf(route: Route, { req }: HttpContext): Record<string, unknown> {
  const query = new URL(req.url).searchParams;
  const read = (key: string, texts: readonly string[]) =>
    texts.length === 1 ? parseArgument(route, key, texts[0]!) : [...texts];
  return Object.fromEntries([...new Set(query.keys())].map((key) => [key, read(key, query.getAll(key))]));
}
