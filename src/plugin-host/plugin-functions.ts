/** The plugins that receive events and answer requests, each in a separate worker. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { DomainError } from "../domain/error.ts";
import type { Subscriber } from "../domain/events/subscriber.ts";
import type { PluginDirectory, PluginHealth } from "../domain/ports/plugin-directory.ts";
import type { Permission } from "../plugin.ts";
import { startChild } from "./child.ts";
import { overlap, ownFilesOf } from "./files.ts";
import { specifierOf } from "./load.ts";
import { findParentDeathPrefix } from "./parent-death.ts";
import { answerRequest } from "./request.ts";
import { openRunner, type Runner, type RunnerLimits } from "./runner.ts";
import { startWebWorker } from "./web-worker.ts";

/** A plugin's settings are text on the command line and in the environment. The settings file may nest them. */
export type PluginSetting = Readonly<{ name?: string; plugin: string; config: Readonly<Record<string, unknown>> }>;

/** The tools that plugins call. The implementation checks the plugin's permissions and the arguments. */
export type PluginTools = Readonly<{
  /** @throws DomainError a refusal; anything else is a defect */
  call(
    plugin: Readonly<{ name: string; permissions: readonly Permission[] }>,
    tool: string,
    args: unknown,
    signal: AbortSignal,
  ): Promise<Record<string, unknown>>;
}>;

export type PluginFunctionsOptions = Readonly<{
  plugins: readonly PluginSetting[];
  /** The location of a plugin that ships with the program. */
  shipped(name: string): URL | undefined;
  tools: PluginTools;
  fingerprint: (meaning: string) => string;
  /** Bootwright's data directory. No plugin may reach it. */
  data: string;
  /** Each plugin gets a subdirectory of this. */
  cacheDirectory: string;
  log(plugin: string, line: string): void;
  limits?: Partial<RunnerLimits>;
}>;

export type PluginFunctions = PluginDirectory &
  Readonly<{
    subscribers(): readonly Subscriber[];
    /** Answers every failure with an HTTP status, and an unknown plugin with 404. */
    handle(plugin: string, request: Request, options?: Readonly<{ vm?: string }>): Promise<Response>;
    /** Closes the sessions in reverse order, each within its time limit. */
    close(): Promise<void>;
  }>;

export const usualLimits: RunnerLimits = { openMs: 30_000, closeMs: 5_000, callMs: 10_000, idleMs: 300_000 };
const HEAP_MIB = 128;
/** Node can restrict only whole processes. Deno can restrict each worker. */
const startSandboxed = "Deno" in globalThis ? startWebWorker : startChild;

const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
const program = new URL(`worker.${extension}`, import.meta.url);
const api = new URL(`../plugin.${extension}`, import.meta.url).href;

/** Loads every plugin in a worker and checks it. Opens no session.
 * @throws DomainError PLUGIN_NOT_FOUND, PLUGIN_INVALID, PLUGIN_CONFIG_INVALID, PLUGIN_NAME_TAKEN */
export async function openPluginFunctions(options: PluginFunctionsOptions): Promise<PluginFunctions> {
  const commandPrefix = options.plugins.length > 0 ? await findParentDeathPrefix() : [];
  const loads = await Promise.allSettled(options.plugins.map((setting) => load(setting, options, commandPrefix)));
  const refused = loads.find(({ status }) => status === "rejected");
  if (refused) throw (refused as PromiseRejectedResult).reason;
  const runners = loads.map((one) => (one as PromiseFulfilledResult<Runner>).value);
  const byName = Map.groupBy(runners, ({ name }) => name);
  for (const [name, same] of byName) {
    const plugins = options.plugins.filter((_, index) => runners[index]!.name === name).map(({ plugin }) => plugin);
    if (same.length > 1) throw new DomainError("PLUGIN_NAME_TAKEN", { name, plugins });
  }
  return {
    list: async (): Promise<readonly PluginHealth[]> => runners.map((runner) => runner.health()),
    subscribers: () =>
      runners
        .filter(({ about }) => about.events.length > 0)
        .map(({ name, about, deliver }) => ({ name, types: about.events, deliver })),
    handle: (plugin, request, { vm } = {}) => answerRequest(byName.get(plugin)?.[0], request, vm),
    async close() {
      for (const runner of runners.toReversed()) await runner.close();
    },
  };
}

async function load(
  { name, plugin, config }: PluginSetting,
  options: PluginFunctionsOptions,
  commandPrefix: readonly string[],
): Promise<Runner> {
  const specifier = options.shipped(plugin)?.href ?? specifierOf(plugin);
  const cacheOf = (known: string) => join(options.cacheDirectory, "plugins", known);
  const own = [...ownFilesOf(import.meta.url), ...ownFilesOf(specifier, options.data)];
  const runner = await openRunner({
    load: { wanted: plugin, specifier, config, api, ...(name !== undefined && { name }) },
    start: (worker) =>
      startSandboxed({
        ...worker,
        program,
        heapMib: HEAP_MIB,
        commandPrefix,
        remote: !specifier.startsWith("file:"),
      }),
    grants(about) {
      const { net = [], read = [], write = [] } = about?.reach ?? {};
      const written = about ? [...write, cacheOf(name ?? about.manifest.name)] : [];
      return { net, read: [...own, ...read, ...written], write: written };
    },
    opening(known) {
      const cacheDirectory = cacheOf(known);
      mkdirSync(cacheDirectory, { recursive: true, mode: 0o700 });
      return { cacheDirectory, fingerprintKey: options.fingerprint(`plugin ${known}`) };
    },
    tools(known, { manifest }) {
      const caller = { name: known, permissions: manifest.permissions ?? [] };
      return (tool, args, signal) => options.tools.call(caller, tool, args, signal);
    },
    log: options.log,
    limits: { ...usualLimits, ...options.limits },
  });
  const { read = [], write = [] } = runner.about.reach;
  const taken = [...read, ...write].find((path) => overlap(path, options.data));
  if (taken === undefined) return runner;
  throw new DomainError("PLUGIN_INVALID", {
    plugin,
    reason: `it asks to reach ${taken}, which overlaps Bootwright's data directory`,
  });
}
