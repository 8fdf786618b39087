/** A plugin's functions, called with whole events and a call's own signal. */
import { createHmac } from "node:crypto";
import { tmpdir } from "node:os";
import type { DomainEvent, EventType, FetchContext, Plugin, PluginContext } from "../../src/plugin.ts";

type Call = FetchContext["call"];

export type Opened = Readonly<{
  /** Gives an event to the plugin's function for its type. */
  deliver: (event: DomainEvent, signal?: AbortSignal) => Promise<void>;
  /** Every line that the plugin wrote. */
  lines: string[];
  close: () => Promise<void>;
}>;

/** Opens a plugin with settings as they come from the command line. */
export async function openPlugin<Config, Session>(
  plugin: Plugin<Config, Session>,
  settings: Readonly<Record<string, string>>,
  call: Call = () => Promise.reject(new Error("It was not meant to call a tool")),
): Promise<Opened> {
  const lines: string[] = [];
  const log = (line: string) => void lines.push(line);
  const ending = new AbortController();
  const context: PluginContext = {
    connection: plugin.manifest.name,
    log,
    signal: ending.signal,
    fingerprint: (meaning) => createHmac("sha256", "test").update(meaning).digest("base64url"),
    cacheDirectory: tmpdir(),
    defaults: {},
  };
  const session = await plugin.open(plugin.config.parse(settings), context);
  return {
    deliver: async (event, signal = ending.signal) => plugin.on![event.type]!(session, event, { call, log, signal }),
    lines,
    async close() {
      ending.abort();
      await plugin.close(session);
    },
  };
}

let count = 0;

/** Makes an event like those of the journal, with an id of its own. */
export const anEvent = (type: EventType = "media.attached", more: Partial<DomainEvent> = {}): DomainEvent => ({
  specversion: "1.0",
  id: `5b3a2c9e-0000-4000-8000-000000000000:${count++}`,
  source: "bootwright/local",
  type,
  subject: "0a6b7f52-1111-4222-8333-444455556666",
  time: "2026-11-25T12:00:00.000Z",
  data: { media: "/isos/debian.iso" },
  ...more,
});
