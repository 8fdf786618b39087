/** Imports plugins and checks each one before any of its code is called. */
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { z } from "zod";
import { DomainError } from "../domain/error.ts";
import { type EventType, eventTypes } from "../domain/model/event.ts";
import { nearestFirst } from "../domain/nearest.ts";
import { PLUGIN_API, type Plugin, permissions } from "../plugin.ts";
import { backendGroups, coreCalls, groupNames } from "./backend-calls.ts";

const LIMIT_MS_MAX = 60_000;
const SUMMARY_MAX = 200;

export const Manifest = z.object({
  name: z.string().regex(/^[a-z][a-z0-9-]{0,63}$/, "expected a name of a-z, 0-9 and -, 64 characters at most"),
  api: z.number(),
  summary: z.string().min(1, "expected a sentence").max(SUMMARY_MAX),
  permissions: z
    .array(z.enum(permissions, { error: `expected some of ${permissions.join(", ")}` }))
    .max(permissions.length)
    .exactOptional(),
  limitMs: z.number().int().min(100).max(LIMIT_MS_MAX).exactOptional(),
});

const isUrl = (wanted: string) => /^[a-z][a-z0-9+.-]+:/.test(wanted);
const isPath = (wanted: string) => wanted.startsWith(".") || wanted.startsWith("/");

/** The import() specifier of a path, a URL, or a package that is installed beside Bootwright or in the working directory. */
export function specifierOf(wanted: string): string {
  if (isPath(wanted)) return pathToFileURL(resolve(wanted)).href;
  if (isUrl(wanted)) return wanted;
  for (const base of [import.meta.url, pathToFileURL(join(process.cwd(), "package.json")).href]) {
    try {
      return pathToFileURL(createRequire(base).resolve(wanted)).href;
    } catch {
      // A package may export for import() alone. import() then reports a missing one.
    }
  }
  return wanted;
}

/** @throws DomainError PLUGIN_NOT_FOUND, PLUGIN_INVALID */
export async function importPlugin(
  wanted: string,
  from: string | (() => Promise<{ default?: unknown }>) = specifierOf(wanted),
): Promise<Plugin> {
  let module: { default?: unknown };
  try {
    module = await (typeof from === "string" ? import(from) : from());
  } catch (error) {
    const code = typeof from === "string" && isMissing(error, from) ? "PLUGIN_NOT_FOUND" : "PLUGIN_INVALID";
    throw new DomainError(code, { plugin: wanted, reason: reasonOf(error) }, { cause: error });
  }
  return checkPlugin(wanted, module.default);
}

/** Whether the module itself is missing. The error names the missing module, which may be an import of the plugin's
 * instead. Deno has one code for every load failure, and its workers read a package's name as a file's. */
function isMissing(error: unknown, specifier: string): boolean {
  if (!(error instanceof Error) || !("code" in error)) return false;
  const isFile = specifier.startsWith("file:");
  if (error.code === "ERR_UNSUPPORTED_ESM_URL_SCHEME") return !isFile;
  if (error.code !== "ERR_MODULE_NOT_FOUND" && error.code !== "ERR_UNSUPPORTED_DIR_IMPORT") return false;
  const [packageName] = /^(?:@[^/]+\/)?[^/]+/.exec(specifier) ?? [];
  const asFile = URL.parse(specifier, import.meta.url)?.href;
  const names = [specifier, asFile, isFile ? fileURLToPath(specifier) : packageName];
  const [firstLine = ""] = error.message.split("\n", 1);
  return names.some((name) => firstLine.includes(`'${name}'`) || firstLine.includes(`"${name}"`));
}

/** @throws DomainError PLUGIN_INVALID */
export function checkPlugin(wanted: string, exported: unknown): Plugin {
  const plugin = exported as Partial<Plugin> | undefined | null;
  const refuse = (reason: string) => new DomainError("PLUGIN_INVALID", { plugin: wanted, reason });
  if (!plugin?.manifest || typeof plugin.open !== "function" || typeof plugin.close !== "function" || !plugin.config)
    throw refuse("it has no default export made by definePlugin()");
  if (plugin.manifest.api !== PLUGIN_API)
    throw refuse(`it is written for plugin API ${plugin.manifest.api}; this program has ${PLUGIN_API}`);
  const { error } = Manifest.safeParse(plugin.manifest);
  if (error) throw refuse(error.issues.map(({ path, message }) => `manifest.${path.join(".")}: ${message}`).join("; "));
  for (const [type, handler] of Object.entries(plugin.on ?? {})) {
    if (!eventTypes.includes(type as EventType))
      throw refuse(`there is no event "${type}"; nearest: ${nearestFirst(type, eventTypes, 3).join(", ")}`);
    if (typeof handler !== "function") throw refuse(`its handler of "${type}" is no function`);
  }
  for (const name of ["fetch", "reach"] as const)
    if (plugin[name] !== undefined && typeof plugin[name] !== "function") throw refuse(`its ${name} is no function`);
  if (!plugin.backend && !plugin.fetch && Object.keys(plugin.on ?? {}).length === 0)
    throw refuse("it brings neither a backend nor functions: on or fetch");
  return plugin as Plugin;
}

/** Checks a backend before its session is opened.
 * @throws DomainError PLUGIN_INVALID */
export function checkBackend(wanted: string, backend: Plugin["backend"]): void {
  const reason = backend
    ? flawIn(backend)
    : "it brings no backend, and a connection needs one; --plugin loads its functions";
  if (reason !== undefined) throw new DomainError("PLUGIN_INVALID", { plugin: wanted, reason });
}

/** Finds what a compiler would report, for backends written in JavaScript. */
function flawIn(backend: object): string | undefined {
  const own = backend as Readonly<Record<string, unknown>>;
  const lacking = (calls: object, port: object) =>
    Object.keys(calls).find((name) => typeof (port as typeof own)[name] !== "function");
  const core = lacking({ ...coreCalls, images: undefined }, own);
  if (core !== undefined) return `its backend's ${core} is no function`;
  if (typeof own.changes !== "object" || own.changes === null) return "its backend's changes are no object of handlers";
  const known = [...Object.keys(coreCalls), "images", "changes", "callOutlivesCallerMs", ...groupNames];
  const unknown = Object.keys(own).find((name) => !known.includes(name));
  if (unknown !== undefined)
    return `a backend has no "${unknown}"; nearest: ${nearestFirst(unknown, known, 3).join(", ")}; its groups are ${groupNames.join(", ")}`;
  for (const group of groupNames) {
    const method = own[group] && lacking(backendGroups[group].calls, own[group]);
    if (method) return `its backend's ${group}.${method} is no function; a group needs all of its methods`;
  }
  return undefined;
}

/** @throws DomainError PLUGIN_CONFIG_INVALID that names each wrong setting */
export function parseConfig(plugin: Plugin, name: string, config: unknown, connection?: string): unknown {
  const parsed = plugin.config.safeParse(config);
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.map(({ path, message }) => `${path.join(".") || "settings"}: ${message}`);
  throw new DomainError("PLUGIN_CONFIG_INVALID", {
    plugin: name,
    issues,
    ...(connection !== undefined && { connection }),
  });
}

export const reasonOf = (error: unknown) => (error instanceof Error ? error.message : String(error));
