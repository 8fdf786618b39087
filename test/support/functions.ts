/** Plugins' functions on VMs in memory, which get events as a server delivers them and call the real tools. Everything runs in
 * one process; the tests of the plugin host run functions in workers. */
import { onTestFinished } from "vitest";
import { DomainError } from "../../src/domain/error.ts";
import { deliver } from "../../src/domain/events/deliver.ts";
import type { Subscriber } from "../../src/domain/events/subscriber.ts";
import { watchConnection } from "../../src/domain/events/watch.ts";
import type { DomainEvent, EventType } from "../../src/domain/model/event.ts";
import { type EventFunction, type FunctionContext, type Plugin, ToolRefused } from "../../src/plugin.ts";
import { callTool } from "../../src/tools/call.ts";
import { type Answers, allTools } from "../../src/tools/catalogue.ts";
import { callOf } from "./call.ts";
import { withJobs } from "./jobs.ts";
import { type World, type WorldOptions, world } from "./world.ts";

type AnyPlugin = Plugin<never, never>;

export type PluginHarness = World &
  Readonly<{
    /** Calls a tool as a client. */
    call: <Name extends keyof Answers>(tool: Name, args?: Record<string, unknown>) => Promise<Answers[Name]>;
    /** Waits for `count` events of this type. Returns all of that type, oldest first. */
    heard: (type: EventType, count?: number) => Promise<DomainEvent[]>;
    /** Waits until every function has taken every event. */
    quiet: () => Promise<void>;
    logged: readonly string[];
  }>;

const HEARD_MS = 50_000;

/** Opens a watched world whose events are delivered to these plugins, with these settings. */
export async function openPluginHarness(
  plugins: readonly Readonly<{ plugin: unknown; config?: unknown }>[],
  options: WorldOptions = {},
): Promise<PluginHarness> {
  const base = await world(options);
  const ending = new AbortController();
  const { signal } = ending;
  const logged: string[] = [];
  const log = (message: string) => logged.push(message);
  const { store, backend, ports, connections } = base;
  const toolsOf =
    (actor: string) =>
    (tool: string, args: Readonly<Record<string, unknown>> = {}) =>
      callTool(
        allTools,
        tool,
        args,
        withJobs({
          ...ports,
          connections,
          plugins: { list: async () => [] },
          store: async () => store,
          call: callOf(actor, signal),
        }),
      );
  const subscribers = await Promise.all(plugins.map((one) => subscriberOf(one, toolsOf, log)));
  const names = subscribers.map(({ name }) => name);
  for (const name of names) await store.feed(name, 1);
  const { newId, now } = ports;
  const running = [
    watchConnection({ connection: "local", backend: async () => backend, store, newId, now, log, retryMs: 20 }, signal),
    ...subscribers.map((one) => deliver(one, { journal: store, now, log, pauseMs: 20, idleMs: 200 }, signal)),
  ];
  onTestFinished(async () => {
    ending.abort();
    await Promise.all(running);
  });
  const until = async <T>(what: () => Promise<T | undefined>, missing: () => Promise<string>): Promise<T> => {
    for (const ends = performance.now() + HEARD_MS; ; ) {
      const found = await what();
      if (found !== undefined) return found;
      if (performance.now() > ends) throw new Error(await missing());
      await new Promise((wake) => setTimeout(wake, 10));
    }
  };
  const reported = async () => (await store.events(0, 1_000)).map(({ event }) => event);
  const summary = async () =>
    `${(await reported()).map(({ type, data }) => `${type} ${JSON.stringify(data)}`).join("\n")}\n${logged.join("\n")}`;
  // Whoever watches has seen the connection as it is, so that what comes next is news.
  await until(
    async () => (await store.lease("watch:local")) || undefined,
    async () => "nobody watches",
  );
  return {
    ...base,
    logged,
    call: (tool, args) => toolsOf("test")(tool, args) as never,
    heard: (type, count = 1) =>
      until(
        async () => {
          const found = (await reported()).filter((event) => event.type === type);
          return found.length >= count ? found : undefined;
        },
        async () => `${type} did not happen ${count} times:\n${await summary()}`,
      ),
    async quiet() {
      await until(
        async () => {
          const feeds = await Promise.all(names.map((name) => store.feed(name, 1)));
          const busy = feeds.some((feed) => feed.events.length + feed.due.length + feed.waitingFor.length > 0);
          return busy ? undefined : true;
        },
        async () => `not every event was taken:\n${await summary()}`,
      );
    },
  };
}

async function subscriberOf(
  { plugin, config = {} }: Readonly<{ plugin: unknown; config?: unknown }>,
  toolsOf: (actor: string) => FunctionContext["call"],
  log: (message: string) => void,
): Promise<Subscriber> {
  const { manifest, on = {}, ...made } = plugin as AnyPlugin;
  const session = await made.open(made.config.parse(config), { log } as never);
  const tools = toolsOf(`plugin:${manifest.name}`);
  const call: FunctionContext["call"] = async (tool, args) => {
    try {
      return await tools(tool, args);
    } catch (error) {
      if (error instanceof DomainError) throw new ToolRefused(error.code, error.message, error.details);
      throw error;
    }
  };
  return {
    name: manifest.name,
    types: Object.keys(on) as EventType[],
    async deliver(event, signal) {
      const react = on[event.type] as EventFunction<unknown> | undefined;
      await react?.(session, event, { call, log, signal });
    },
  };
}
