/** Calling tools through their REST routes. */
import type { PageFacts } from "./facts.ts";
import {
  type Answers,
  type Arguments,
  type CallTool,
  type Refusal,
  Refused,
  type ToolName,
  unreachable,
} from "./tool.ts";

/** `onLoggedOut` runs when the server no longer knows the caller. */
export function createRestCaller(routes: PageFacts["tools"], onLoggedOut: () => void): CallTool {
  return async <Name extends ToolName>(tool: Name, args: Arguments = {}): Promise<Answers[Name]> => {
    const route = routes[tool];
    if (!route)
      throw new Refused({
        code: "TOOL_NOT_FOUND",
        message: `This server does not offer ${tool}`,
        hint: "It was started with --read-only, or no connection supports it",
        next: null,
        details: {},
      });
    const { method, path } = route;
    const rest = { ...args };
    const filled = path.replaceAll(/\{(\w+)\}/g, (_whole, name: string) => {
      const value = encodeURIComponent(String(rest[name]));
      delete rest[name];
      return value;
    });
    const query = method === "POST" ? "" : queryOf(rest);
    const response = await fetch(`/api${filled}${query}`, {
      method,
      headers: { accept: "application/json", ...(method === "POST" && { "content-type": "application/json" }) },
      ...(method === "POST" && { body: JSON.stringify(rest) }),
    }).catch(() => {
      throw unreachable();
    });
    const body = (await response.json().catch(() => undefined)) as unknown;
    if (response.ok) return body as Answers[Name];
    if (response.status === 401) onLoggedOut();
    throw new Refused(refusalFromProblem(body));
  };
}

function queryOf(args: Arguments): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(args))
    for (const one of Array.isArray(value) ? value : [value])
      if (one !== undefined) query.append(name, typeof one === "string" ? one : JSON.stringify(one));
  const text = query.toString();
  return text && `?${text}`;
}

/** Reads a refusal from its problem document (RFC 9457). @throws Refused when the body is no problem document */
export function refusalFromProblem(body: unknown): Refusal {
  const { code, detail, hint, next, details, outcome } = (body ?? {}) as Record<string, unknown>;
  if (typeof code !== "string" || typeof detail !== "string") throw unreachable();
  return {
    code,
    message: detail,
    hint: String(hint ?? ""),
    next: typeof next === "string" ? next : null,
    details,
    ...(outcome !== undefined && { outcome }),
  };
}
