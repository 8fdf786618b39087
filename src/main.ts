#!/usr/bin/env node
/** Composition root: settings -> plugins -> tools -> a surface. The store and the hypervisor are opened when a call first
 * needs them. */
import { randomUUID } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import module from "node:module";
import { homedir } from "node:os";
import { join } from "node:path";
import { setTimeout as after } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Config } from "./config/config.ts";
import type { Store } from "./domain/ports/store.ts";
import type { PluginFunctions } from "./plugin-host/plugin-functions.ts";
import type { AppContext } from "./serve/app-context.ts";

// Every client starts a process, some start two, so Node's compiled code is cached for the next one, in a directory that
// only this user may write. It must be enabled before other modules are loaded. Deno has its own cache.
if (import.meta.main && "enableCompileCache" in module) {
  const cache = process.env.XDG_CACHE_HOME || join(homedir(), ".cache");
  module.enableCompileCache(join(cache, "bootwright", "compiled"));
}
const { ConfigError, readConfig, settingsHelp } = await import("./config/config.ts");
const { DomainError } = await import("./domain/error.ts");
const { createJobRunner } = await import("./domain/jobs/runner.ts");
const { openBackendHost } = await import("./plugin-host/backends.ts");
const { createFingerprint } = await import("./plugin-host/fingerprint-key.ts");
const { offeredTools } = await import("./tools/catalogue.ts");

const shipped = {
  libvirt: () => import("../plugins/libvirt/index.ts"),
  memory: () => import("../plugins/memory/index.ts"),
  qemu: () => import("../plugins/qemu/index.ts"),
};
/** A shipped plugin with functions is named by its folder. Only a worker imports it. */
const shippedFunctions = (name: string): URL | undefined => {
  if (!/^[a-z][a-z0-9-]*$/.test(name)) return undefined;
  const url = new URL(`../plugins/${name}/index.${import.meta.url.endsWith(".ts") ? "ts" : "js"}`, import.meta.url);
  return existsSync(url) ? url : undefined;
};
/** The built page. It lies at the same relative path from the sources and from the build. */
const pageDirectory = fileURLToPath(new URL("../ui/dist/", import.meta.url));
const log = (message: string) => process.stderr.write(`bootwright: ${message}\n`);

/** Returns the exit code. */
export async function main(argv: readonly string[]): Promise<number> {
  let read: ReturnType<typeof readConfig>;
  try {
    read = readConfig(argv, process.env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    log(error.message);
    return 2;
  }
  const { config, rest, help, version } = read;
  const { usage, callCommand, listTools, EXIT } = await import("./serve/cli.ts");
  // The reader of stdout may stop early, as in `bootwright tools | head`.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
  });
  if (help) return print(`${usage}\n${settingsHelp()}`);
  if (version) return print(`${packageVersion()}\n`);
  const [command, ...args] = rest;
  if (command === "plugin" && args[0] === "new" && args.length >= 2 && args.length <= 3) {
    const { writePlugin } = await import("./plugin-host/scaffold.ts");
    try {
      const root = writePlugin(args[1]!, args[2]);
      return print(`${root}\nTest it: cd ${root} && node --test\nUse it: bootwright --plugin ${root}/index.ts\n`);
    } catch (error) {
      log(error instanceof Error ? error.message : String(error));
      return EXIT.usage;
    }
  }
  const stray = command === "serve" ? args[0] : undefined;
  if (command !== undefined && (stray !== undefined || !["call", "tools", "serve", "token"].includes(command))) {
    log(`unknown command "${stray ?? command}"\n\n${usage}`);
    return EXIT.usage;
  }
  if (command === "token") {
    const { tokenCommand } = await import("./serve/token-command.ts");
    return tokenCommand(config.data, args);
  }
  const ending = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => ending.abort(new Error(name)));
  let opened: Opened;
  let functions: PluginFunctions | undefined;
  try {
    opened = await openAppContext(config);
    // A single call needs no plugins. A server checks its plugins before it begins.
    const serves = command === undefined || command === "serve";
    if (serves && config.plugins.length > 0) functions = await opened.functions();
  } catch (error) {
    if (!(error instanceof DomainError)) throw error;
    log(`${error.code}: ${error.message}. ${error.hint}`);
    return EXIT.usage;
  }
  const { appContext, close } = opened;
  if (command === undefined || command === "serve") {
    const { recoverInBackground } = await import("./serve/recovery.ts");
    const { runInBackground } = await import("./serve/background.ts");
    const { takeUpJobs } = await import("./serve/jobs.ts");
    const stopRecovering = recoverInBackground({ services: appContext.services, log });
    const stopTelling = runInBackground({
      services: appContext.services,
      subscribers: functions?.subscribers() ?? [],
      log,
    });
    const stopJobs = takeUpJobs({ services: appContext.services, log });
    const stopListening = await listenToGuests(config, opened);
    const code =
      command === "serve"
        ? await overHttp(appContext, config, functions, ending.signal)
        : await onStdio(appContext, ending.signal);
    await stopListening();
    await Promise.race([Promise.all([stopRecovering(), stopTelling(), stopJobs()]), after(BACKGROUND_END_LIMIT_MS)]);
    await close();
    return code;
  }
  try {
    if (command === "call") return await callCommand(appContext, args, ending.signal);
    listTools(appContext.tools);
    return EXIT.ok;
  } finally {
    await appContext.services.jobs.close();
    await close();
  }
}

const BACKGROUND_END_LIMIT_MS = 5_000;

async function onStdio(appContext: AppContext, signal: AbortSignal): Promise<number> {
  const { serveMcp } = await import("./serve/mcp/stdio.ts");
  const serving = serveMcp(appContext, process.stdout);
  signal.addEventListener("abort", () => void serving.close(), { once: true });
  if (signal.aborted) void serving.close();
  await serving.ended;
  return 0;
}

async function overHttp(
  appContext: AppContext,
  { data, http }: Config,
  functions: PluginFunctions | undefined,
  signal: AbortSignal,
): Promise<number> {
  const [{ serveCommand }, { addPage }] = await Promise.all([
    import("./serve/http/serve-command.ts"),
    import("./serve/http/page.ts"),
  ]);
  const plugins = functions && { plugins: functions.handle };
  const mount = (app: Parameters<typeof addPage>[0]) => addPage(app, { appContext, directory: pageDirectory });
  return serveCommand({ appContext, data, log, ...http, ...http.listen, ...plugins, mount }, signal);
}

function print(text: string): number {
  process.stdout.write(text);
  return 0;
}

/** Returns the function that stops it. */
async function listenToGuests(
  { guestListen }: Config,
  { appContext, functions }: Opened,
): Promise<() => Promise<void>> {
  if (!guestListen) return async () => undefined;
  const { listenForGuests } = await import("./serve/guest-listener.ts");
  const { connections, store } = appContext.services;
  const { close } = listenForGuests({
    ...guestListen,
    connections: connections.names,
    store,
    handle: async (plugin, request, options) => (await functions()).handle(plugin, request, options),
    log,
    defect: appContext.defect,
  });
  return close;
}

type Opened = Readonly<{
  appContext: AppContext;
  /** The plugins that receive events or answer requests, loaded at the first call. */
  functions: () => Promise<PluginFunctions>;
  close: () => Promise<void>;
}>;

async function openAppContext(config: Config): Promise<Opened> {
  const newId = () => randomUUID();
  const backendHost = await openBackendHost({
    connections: config.connections,
    shipped,
    context: (connection) => ({
      log: (message) => log(`${connection}: ${message}`),
      fingerprint: createFingerprint(config.data),
      cacheDirectory: config.cache,
      stateDirectory: config.data,
      defaults: {
        ...(config.images !== undefined && { images: config.images }),
        ...(config.isoDirectories && { isoDirectories: config.isoDirectories }),
      },
    }),
  });
  let store: Promise<Store> | undefined;
  const openStore = async (): Promise<Store> => {
    const { openSqliteStore } = await import("./store/sqlite/store.ts");
    const first = backendHost.names[0] ?? "local";
    const imageDirectory = config.images ?? "/var/lib/libvirt/images";
    return openSqliteStore({ directory: config.data, imageDirectory, connection: first, newId });
  };
  let functions: Promise<PluginFunctions> | undefined;
  const openFunctions = async (): Promise<PluginFunctions> => {
    const { openPluginFunctions } = await import("./plugin-host/plugin-functions.ts");
    const { pluginCalls } = await import("./serve/plugin-calls.ts");
    return openPluginFunctions({
      plugins: config.plugins,
      shipped: shippedFunctions,
      tools: pluginCalls(appContext),
      fingerprint: createFingerprint(config.data),
      data: config.data,
      cacheDirectory: config.cache,
      log: (plugin, line) => log(`${plugin}: ${line}`),
    });
  };
  const loadFunctions = () => {
    functions ??= openFunctions();
    return functions;
  };
  const services = {
    connections: backendHost,
    store: () => {
      store ??= openStore();
      // The next call tries again to open the store.
      store.catch(() => {
        store = undefined;
      });
      return store;
    },
    newId,
    now: () => new Date(),
    claimWaitMs: config.claimWaitMs,
  };
  const defect = (error: unknown) => {
    const id = randomUUID();
    log(`defect ${id}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    return id;
  };
  const appContext: AppContext = {
    tools: offeredTools(backendHost, config),
    confirm: config.confirm,
    version: packageVersion(),
    panel: () => readIfThere(join(pageDirectory, "panel.html")),
    log,
    services: {
      ...services,
      plugins: { list: async () => (await loadFunctions()).list() },
      jobs: createJobRunner({ services, log, defect }),
      ...(config.guestListen && { guests: config.guestListen }),
    },
    defect,
  };
  const close = async () => {
    await functions?.then((open) => open.close()).catch(() => undefined);
    await backendHost.close();
    await store?.then((open) => open.close()).catch(() => undefined);
  };
  return { appContext, functions: loadFunctions, close };
}

function readIfThere(path: string): string | undefined {
  return existsSync(path) ? readFileSync(path, "utf8") : undefined;
}

function packageVersion(): string {
  for (const up of ["../package.json", "../../package.json"]) {
    try {
      return (JSON.parse(readFileSync(new URL(up, import.meta.url), "utf8")) as { version: string }).version;
    } catch {
      // The build is one folder deeper.
    }
  }
  return "0.0.0";
}

if (import.meta.main) {
  const code = await main(process.argv.slice(2));
  // Everything is closed. A plugin that did not close in time, or a running timer (Deno waits for those), must not keep the
  // process. Pending output is flushed first.
  await new Promise((written) => process.stdout.write("", written));
  process.exit(code);
}
