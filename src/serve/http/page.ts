/** Serves the built web page and its assets. They are read once and served from memory, so that no request names a file. */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { extname, join } from "node:path";
import { setTimeout as after } from "node:timers/promises";
import type { Hono } from "hono";
import type { AppContext } from "../app-context.ts";
import { type Environment, type HttpContext, requireScope } from "./environment.ts";

export type PageOptions = Readonly<{
  appContext: AppContext;
  /** The directory of the built page. */
  directory: string;
}>;

const PLACE_LIMIT_MS = 200;

const NOT_BUILT = "The web page is not built: run npm run build:page in Bootwright's directory and start it again.\n";

const types: Readonly<Record<string, string>> = {
  ".css": "text/css",
  ".html": "text/html",
  ".js": "text/javascript",
  ".svg": "image/svg+xml",
};
const typeOf = (name: string) => `${types[extname(name)] ?? "application/octet-stream"}; charset=utf-8`;

/** The placeholder for the facts in the page. */
const FACTS = "<!--facts-->";

/** Adds `/` and the page's assets. */
export function addPage(app: Hono<Environment>, { appContext, directory }: PageOptions): void {
  const page = readIfThere(join(directory, "index.html"))?.toString("utf8");
  if (page === undefined) {
    app.get("/", (context) => context.text(NOT_BUILT, 503));
    return;
  }
  const allowed = [policyFor(page, "script"), policyFor(page, "style")].join("; ");
  app.get("/", async (context) => {
    context.set("policy", allowed);
    const facts = JSON.stringify(await factsFor(appContext, context));
    // A data block never runs. Escaping < keeps its content from ending it.
    const block = `<script id="facts" type="application/json">${facts.replaceAll("<", "\\u003c")}</script>`;
    return context.html(page.replace(FACTS, () => block));
  });
  // A file's name has a hash of its content, so its content never changes.
  const cacheControl = "private, max-age=31536000, immutable";
  for (const name of readdirSync(join(directory, "assets"))) {
    const bytes = readFileSync(join(directory, "assets", name));
    app.get(`/assets/${name}`, (context) =>
      context.body(bytes, 200, { "content-type": typeOf(name), "cache-control": cacheControl }),
    );
  }
}

/** Allows the page's inline code by hash, beside the server's own files. A data block needs no permission. */
function policyFor(page: string, element: "script" | "style"): string {
  const inside = page.matchAll(new RegExp(`<${element}(?: type="module")?>(.*?)</${element}>`, "gs"));
  const hashes = [...inside].map(([, text]) => `'sha256-${createHash("sha256").update(text!).digest("base64")}'`);
  return [`${element}-src 'self'`, ...hashes].join(" ");
}

/** The page's facts: the caller's scopes, the tools with their routes, the connections with consoles, and the place in the
 * journal from which to follow events. */
async function factsFor(appContext: AppContext, context: HttpContext) {
  const { scopes } = requireScope(context, "vm:read");
  const { store, connections } = appContext.services;
  const lastEvent = store()
    .then((open) => open.lastEvent())
    .catch(() => undefined);
  return {
    version: appContext.version,
    scopes,
    // The page must appear at once, even if the database takes long to open.
    place: await Promise.race([lastEvent, after(PLACE_LIMIT_MS, undefined, { ref: false })]),
    /** Connections whose VMs have a console. */
    consoles: connections.names.filter((name) => connections.capabilities(name).groups.includes("display")),
    tools: Object.fromEntries(appContext.tools.map(({ name, http, effect }) => [name, { ...http, effect }])),
  };
}
export type PageFacts = Awaited<ReturnType<typeof factsFor>>;

function readIfThere(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
