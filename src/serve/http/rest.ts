/** The tools as places below /api. */
import type { Hono } from "hono";
import { DomainError } from "../../domain/error.ts";
import { callTool } from "../../tools/call.ts";
import { readValue } from "../argument.ts";
import { CALLS_MAX } from "../bounds.ts";
import type { Session } from "../session.ts";
import { objectIn, readBody } from "./body.ts";
import { type Environment, type HttpContext, requireScope } from "./environment.ts";
import { HttpRefusal } from "./refusal.ts";
import { parametersOf, type Route, routesOf } from "./route.ts";
import { type Caller, scopeFor } from "./token.ts";
import type { Work } from "./work.ts";

export type RestOptions = Readonly<{ session: Session; work: Work }>;

export function addRest(app: Hono<Environment>, options: RestOptions): void {
  const routes = routesOf(options.session.tools);
  const pathOf = (path: string) => `/api${path.replaceAll(/\{(\w+)\}/g, ":$1")}`;
  for (const route of routes) app.on(route.method, pathOf(route.path), (context) => answer(options, route, context));
  for (const [path, same] of Map.groupBy(routes, (route) => route.path)) {
    const allowed = same.map(({ method }) => method);
    app.all(pathOf(path), (context) => {
      throw new HttpRefusal(
        "METHOD_NOT_ALLOWED",
        { method: context.req.method, allowed },
        { allow: allowed.join(", ") },
      );
    });
  }
}

async function answer({ session, work }: RestOptions, route: Route, context: HttpContext): Promise<Response> {
  const caller = requireScope(context, scopeFor[route.effect]);
  const { tool, args } = route.call(await argumentsOf(route, context));
  if (work.count() >= CALLS_MAX) throw new DomainError("SERVER_BUSY", { calls: CALLS_MAX });
  // Who no longer waits for a look wants it no longer; a change that was asked for is made.
  const signal = route.effect === "read" ? AbortSignal.any([work.signal, context.req.raw.signal]) : work.signal;
  const data = await work
    .add(
      callTool(
        session.tools,
        tool,
        args,
        session.context({ actor: `http:${caller.name}`, signal, progress: () => {} }),
      ),
    )
    .catch((error: unknown) => {
      throw askedOf(session, caller, error);
    });
  if (route.made === undefined || data.changed !== true || data.dry_run === true) return context.json(data);
  const { uuid } = data.vm as { uuid: string };
  return context.json(data, route.made, { location: `/api/vms/${uuid}` });
}

/** A program is not a person, and only one at the page can be asked. */
function askedOf({ confirm }: Session, caller: Caller, error: unknown): unknown {
  if (confirm !== "human" || caller.person) return error;
  if (!(error instanceof DomainError) || error.code !== "CONFIRMATION_REQUIRED") return error;
  const { vm, losses } = (error as DomainError<"CONFIRMATION_REQUIRED">).details;
  return new DomainError("CONFIRMATION_BY_PERSON", { vm, losses });
}

/** A tool's arguments from path, query and body. What they are worth the tool itself says. */
async function argumentsOf(route: Route, { req }: HttpContext): Promise<Record<string, unknown>> {
  const inPath = Object.fromEntries(parametersOf(route.path).map((name) => [name, req.param(name)!]));
  const others =
    route.method === "POST"
      ? objectIn(await readBody(req.raw), req.raw)
      : queryOf(route, new URL(req.url).searchParams);
  const twice = Object.keys(inPath).filter((name) => Object.hasOwn(others, name));
  const stray = route.method === "POST" ? [...new URL(req.url).searchParams.keys()] : [];
  const issues = [
    ...twice.map((name) => `${name}: stands in the path already`),
    ...stray.slice(0, 10).map((name) => `${name}: belongs in the body`),
  ];
  if (issues.length) throw new DomainError("INPUT_INVALID", { issues });
  return { ...others, ...inPath };
}

function queryOf(route: Route, query: URLSearchParams): Record<string, unknown> {
  const read = (key: string, texts: readonly string[]) =>
    texts.length === 1 ? readValue(route, key, texts[0]!) : [...texts];
  return Object.fromEntries([...new Set(query.keys())].map((key) => [key, read(key, query.getAll(key))]));
}
