/** Lists the plugins that receive events or answer requests. */
import { z } from "zod";
import { eventTypes } from "../domain/model/event.ts";
import type { DeliveryStore, EventStore } from "../domain/ports/event-store.ts";
import { pluginStates } from "../domain/ports/plugin-directory.ts";
import { defineTool } from "./tool.ts";

const Targets = z.array(z.string());

const listPlugins = defineTool({
  name: "list_plugins",
  title: "List plugins",
  description:
    "List the plugins that receive events or answer requests: what each may do and reach, the count of its calls and failures, and its last error. Backends are not listed; list_vms names the connections.",
  effect: "read",
  needs: [],
  http: { method: "GET", path: "/plugins" },
  input: z.object({}),
  output: z.object({
    plugins: z.array(
      z.object({
        name: z.string().describe("Its name in this server"),
        plugin: z.string().describe("Its own name"),
        summary: z.string(),
        permissions: z.array(z.string()).describe("The scopes of its tool calls"),
        events: z.array(z.enum(eventTypes)),
        fetch: z.boolean().describe("It answers requests below /plugins/NAME/"),
        reach: z
          .object({ net: Targets.optional(), read: Targets.optional(), write: Targets.optional() })
          .describe(
            "What it needs beside its own files. Deno enforces all of it, Node 24 the files alone; from Node 25 on there is no network without net",
          ),
        limit_ms: z.number(),
        state: z.enum(pluginStates),
        calls: z.number().describe("Since the start of this server"),
        failures: z.number(),
        behind: z.number().optional().describe("Events of all kinds that it has not passed yet"),
        last_error: z.string().optional(),
        last_called_at: z.string().optional(),
      }),
    ),
  }),
  async run(_input, { plugins, store }) {
    const list = await plugins.list();
    const behind = list.some(({ events }) => events.length > 0) ? await eventsBehind(await store()) : undefined;
    return {
      plugins: list.map(({ limitMs, lastError, lastCalledAt, ...plugin }) => ({
        ...plugin,
        permissions: [...plugin.permissions],
        events: [...plugin.events],
        reach: Object.fromEntries(Object.entries(plugin.reach).map(([what, places]) => [what, [...places]])),
        limit_ms: limitMs,
        ...(behind?.has(plugin.name) && { behind: behind.get(plugin.name)! }),
        ...(lastError !== undefined && { last_error: lastError }),
        ...(lastCalledAt !== undefined && { last_called_at: lastCalledAt }),
      })),
    };
  },
});

async function eventsBehind(store: DeliveryStore & EventStore): Promise<ReadonlyMap<string, number>> {
  const [subscribers, last] = await Promise.all([store.subscribers(), store.lastEvent()]);
  return new Map(subscribers.map(({ name, cursor }) => [name, Math.max(0, last - cursor)]));
}

export const pluginTools = [listPlugins];
