/** Runs one plugin's functions: starts a worker when needed, replaces an ended one, and counts calls and failures. */
import { DomainError } from "../domain/error.ts";
import type { DomainEvent, EventType } from "../domain/model/event.ts";
import type { PluginHealth } from "../domain/ports/plugin-directory.ts";
import { reasonOf } from "./load.ts";
import type { About, Load, Opening, WireRequest, WireResponse, WorkerRequest } from "./protocol.ts";
import type { Grants, SandboxedWorker, SandboxOptions } from "./sandbox.ts";
import { type CallTool, type Done, openWorkerRpc, type WorkerRpc } from "./worker-rpc.ts";

export type RunnerOptions = Readonly<{
  load: Omit<Load, "name"> & { name?: string };
  start(options: Pick<SandboxOptions, "name" | "grants" | "message" | "ended" | "line">): SandboxedWorker;
  /** The worker's grants: before the plugin has described itself without `about`, then with it. */
  grants(about?: About): Grants;
  opening(name: string): Opening;
  tools(name: string, about: About): CallTool;
  log(name: string, line: string): void;
  limits: RunnerLimits;
}>;

export type RunnerLimits = Readonly<{
  /** For loading a plugin, and for opening its session. */
  openMs: number;
  closeMs: number;
  /** For a call, unless the manifest has limitMs. */
  callMs: number;
  /** A worker ends after this time without calls. */
  idleMs: number;
}>;

export type Runner = Readonly<{
  name: string;
  about: About;
  deliver(event: DomainEvent, signal: AbortSignal): Promise<void>;
  fetch(request: WireRequest, vm: string | undefined, signal: AbortSignal): Promise<WireResponse>;
  health(): PluginHealth;
  close(): Promise<void>;
}>;

/** Loads a plugin in a worker to read its description, and ends that worker.
 * @throws DomainError PLUGIN_NOT_FOUND, PLUGIN_INVALID, PLUGIN_CONFIG_INVALID */
export async function openRunner(options: RunnerOptions): Promise<Runner> {
  const about = await describe(options);
  const name = options.load.name ?? about.manifest.name;
  const limitMs = about.manifest.limitMs ?? options.limits.callMs;
  const { limits } = options;
  const log = (line: string) => options.log(name, line);
  let live: Promise<WorkerRpc> | undefined;
  let idle: ReturnType<typeof setTimeout> | undefined;
  let queue: Promise<unknown> = Promise.resolve();
  let [running, calls, failures, closed] = [0, 0, 0, false];
  let last: { at?: string; error?: string; state: "idle" | "failing" | "cannot_open" } = { state: "idle" };

  const open = async (): Promise<WorkerRpc> => {
    let rpc: WorkerRpc | undefined;
    try {
      rpc = startWorker(options, name, options.grants(about), options.tools(name, about));
      await rpc.ask({ ask: "load", load: { ...options.load, name } }, "load", limits.openMs);
      await rpc.ask({ ask: "open", opening: options.opening(name) }, "open", limits.openMs);
      return rpc;
    } catch (error) {
      await rpc?.end("it could not be opened");
      throw new CannotOpen(error);
    }
  };
  const opened = (): Promise<WorkerRpc> => {
    live ??= open();
    const opening = live;
    // The next call replaces a worker that could not be opened or has ended.
    return opening.then(
      (rpc) => {
        if (!rpc.gone) return rpc;
        if (live === opening) live = undefined;
        return opened();
      },
      (error: unknown) => {
        if (live === opening) live = undefined;
        throw error;
      },
    );
  };
  const closeIdleWorker = async () => {
    clearTimeout(idle);
    const closing = live;
    live = undefined;
    const rpc = await closing?.catch(() => undefined);
    if (!rpc || rpc.gone) return;
    await rpc.ask({ ask: "close" }, "close", limits.closeMs).catch((error) => log(reasonOf(error)));
    await rpc.end("it was closed");
  };

  const run = async (asked: WorkerRequest, what: string, signal: AbortSignal): Promise<Done> => {
    if (closed) throw new DomainError("PLUGIN_FAILED", { plugin: name, what, reason: "Bootwright is closing" });
    clearTimeout(idle);
    running++;
    calls++;
    try {
      const done = await (await opened()).ask(asked, what, limitMs, signal);
      last = { at: new Date().toISOString(), state: "idle" };
      return done;
    } catch (error) {
      const [cause, state] =
        error instanceof CannotOpen ? [error.cause, "cannot_open" as const] : [error, "failing" as const];
      // A call that its caller gave up is no failure of the plugin's.
      if (signal.aborted) throw cause;
      failures++;
      last = { at: new Date().toISOString(), error: reasonOf(cause), state };
      log(reasonOf(cause));
      throw cause;
    } finally {
      if (--running === 0 && !closed) idle = setTimeout(() => void closeIdleWorker(), limits.idleMs);
    }
  };

  return {
    name,
    about,
    deliver(event, signal) {
      const turn = queue.then(() => run({ ask: "on", event }, event.type, signal));
      queue = turn.catch(() => undefined);
      return turn.then(() => undefined);
    },
    async fetch(request, vm, signal) {
      if (running >= CALLS_AT_ONCE_MAX) throw new DomainError("SERVER_BUSY", { calls: running });
      const asked: WorkerRequest = { ask: "fetch", request, ...(vm !== undefined && { vm }) };
      const { response } = await run(asked, "fetch", signal);
      if (response) return response;
      throw new DomainError("PLUGIN_FAILED", { plugin: name, what: "fetch", reason: "it answered nothing" });
    },
    health: () => ({
      name,
      plugin: about.manifest.name,
      summary: about.manifest.summary,
      permissions: about.manifest.permissions ?? [],
      events: about.events as readonly EventType[],
      fetch: about.fetch,
      reach: about.reach,
      limitMs,
      state: running > 0 ? "running" : last.state,
      calls,
      failures,
      ...(last.error !== undefined && { lastError: last.error }),
      ...(last.at !== undefined && { lastCalledAt: last.at }),
    }),
    async close() {
      closed = true;
      await closeIdleWorker();
    },
  };
}

const CALLS_AT_ONCE_MAX = 32;

class CannotOpen extends Error {
  constructor(cause: unknown) {
    super(reasonOf(cause), { cause });
  }
}

function startWorker({ start, log }: RunnerOptions, name: string, grants: Grants, tools: CallTool): WorkerRpc {
  const line = (text: string) => log(name, text);
  return openWorkerRpc(name, (on) => start({ name, grants, line, ...on }), tools, line);
}

/** Loads the module in a worker without grants beyond its own files, since loading runs the module's code. */
async function describe(options: RunnerOptions): Promise<About> {
  const { load, grants, limits } = options;
  const name = load.name ?? load.wanted;
  const nothing: CallTool = () => Promise.reject(new Error("a plugin calls tools from its functions alone"));
  const rpc = startWorker(options, name, grants(), nothing);
  const refuse = (reason: string) => new DomainError("PLUGIN_INVALID", { plugin: load.wanted, reason });
  try {
    const { about } = await rpc.ask({ ask: "load", load: { ...load, name: load.name ?? "" } }, "load", limits.openMs);
    if (!about) throw refuse("its worker sent no description");
    return about;
  } catch (error) {
    if (!(error instanceof DomainError)) throw error;
    if (error.code === "PLUGIN_TIMED_OUT") throw refuse(`it was not loaded within ${limits.openMs / 1000} s`);
    if (error.code === "PLUGIN_FAILED") throw refuse((error as DomainError<"PLUGIN_FAILED">).details.reason);
    throw error;
  } finally {
    await rpc.end("its description was read");
  }
}
