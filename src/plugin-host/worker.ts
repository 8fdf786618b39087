/** The program of a plugin's worker: imports the plugin, opens its session, and calls its functions on request. */
import { createHmac } from "node:crypto";
import { registerHooks } from "node:module";
import { DomainError } from "../domain/error.ts";
import type { EventType } from "../domain/model/event.ts";
import { type FunctionContext, type Plugin, ToolRefused } from "../plugin.ts";
import { importPlugin, parseConfig, reasonOf } from "./load.ts";
import {
  type About,
  BODY_MAX,
  type FromWorker,
  type Load,
  type Opening,
  ReachSchema,
  type ToWorker,
  type WireRequest,
} from "./protocol.ts";
import { openChannel } from "./worker-channel.ts";

const send = openChannel((message) => {
  if ("tool" in message) answered(message);
  else if ("end" in message) calls.get(message.end)?.abort(new DOMException("its time is up", "TimeoutError"));
  else void work(message);
});
const log = (text: string) => send({ log: text });

let loaded: Readonly<{ plugin: Plugin; config: unknown; load: Load }> | undefined;
let session: unknown;
const closing = new AbortController();
const calls = new Map<number, AbortController>();
const tools = new Map<number, { resolve(answer: Record<string, unknown>): void; reject(error: Error): void }>();
let toolCalls = 0;

async function work(asked: Extract<ToWorker, { ask: string }>): Promise<void> {
  const { id } = asked;
  const ending = new AbortController();
  calls.set(id, ending);
  try {
    send({ done: id, ...(await answer(asked, contextOf(id, ending.signal))) });
  } catch (error) {
    const refusal = error instanceof DomainError && asked.ask === "load" ? error : undefined;
    if (!refusal) log(error instanceof Error ? (error.stack ?? error.message) : String(error));
    send({
      failed: id,
      reason: reasonOf(error),
      ...(refusal && { refusal: { code: refusal.code, details: { ...(refusal.details as object) } } }),
    });
  } finally {
    calls.delete(id);
  }
}

async function answer(
  asked: Extract<ToWorker, { ask: string }>,
  context: FunctionContext,
): Promise<Pick<Extract<FromWorker, { done: number }>, "about" | "response">> {
  if (asked.ask === "load") return { about: await load(asked.load) };
  const { plugin } = loaded!;
  if (asked.ask === "open") session = await open(asked.opening);
  if (asked.ask === "on") await plugin.on?.[asked.event.type as EventType]?.(session, asked.event, context);
  if (asked.ask === "fetch") {
    const { request, vm } = asked;
    const response = await plugin.fetch!(session, received(request), { ...context, ...(vm !== undefined && { vm }) });
    return { response: await wire(response) };
  }
  if (asked.ask === "close") {
    closing.abort();
    await plugin.close(session);
  }
  return {};
}

async function load(what: Load): Promise<About> {
  // A plugin runs with the Bootwright that has loaded it, whichever version it has installed. Deno has no such hook.
  registerHooks({
    resolve: (specifier, context, next) =>
      specifier === "bootwright/plugin" ? { url: what.api, shortCircuit: true } : next(specifier, context),
  });
  const plugin = await importPlugin(what.wanted, what.specifier);
  const events = Object.keys(plugin.on ?? {}) as EventType[];
  if (!plugin.fetch && events.length === 0) {
    const reason = "it brings no functions, on or fetch; --connection NAME=PLUGIN uses its backend";
    throw new DomainError("PLUGIN_INVALID", { plugin: what.wanted, reason });
  }
  const config = parseConfig(plugin, what.name || plugin.manifest.name, what.config);
  const reach = ReachSchema.safeParse(plugin.reach?.(config) ?? {});
  if (reach.error) {
    const issues = reach.error.issues.map(({ path, message }) => `reach.${path.join(".")}: ${message}`);
    throw new DomainError("PLUGIN_INVALID", { plugin: what.wanted, reason: issues.join("; ") });
  }
  loaded = { plugin, config, load: what };
  return {
    manifest: plugin.manifest as About["manifest"],
    events,
    fetch: plugin.fetch !== undefined,
    reach: reach.data,
  };
}

function open({ fingerprintKey, cacheDirectory }: Opening): Promise<unknown> {
  const { plugin, config, load } = loaded!;
  return plugin.open(config, {
    connection: load.name,
    log,
    signal: closing.signal,
    fingerprint: (meaning) => createHmac("sha256", fingerprintKey).update(meaning).digest("base64url"),
    cacheDirectory,
    defaults: {},
  });
}

function contextOf(of: number, signal: AbortSignal): FunctionContext {
  return {
    signal,
    log,
    call(name, args = {}) {
      const { promise, resolve, reject } = Promise.withResolvers<Record<string, unknown>>();
      const tool = ++toolCalls;
      tools.set(tool, { resolve, reject });
      try {
        send({ of, tool, name, args });
      } catch (error) {
        tools.delete(tool);
        reject(error);
      }
      return promise;
    },
  };
}

function answered(message: Extract<ToWorker, { tool: number }>): void {
  const waiting = tools.get(message.tool);
  tools.delete(message.tool);
  if ("answer" in message) waiting?.resolve({ ...message.answer });
  else waiting?.reject(new ToolRefused(message.refusal.code, message.refusal.message, message.refusal.details));
}

function received({ method, url, headers, body }: WireRequest): Request {
  const pairs = headers.map(([name, value]): [string, string] => [name, value]);
  return new Request(url, { method, headers: pairs, ...(body && { body: new Uint8Array(body) }) });
}

async function wire(response: Response) {
  if (!(response instanceof Response)) throw new Error("fetch has to return a Response");
  const body = new Uint8Array(await response.arrayBuffer());
  if (body.length > BODY_MAX) throw new Error(`a response has ${BODY_MAX} bytes at most, this one has ${body.length}`);
  return {
    status: response.status,
    headers: [...response.headers] as [string, string][],
    ...(body.length && { body }),
  };
}
