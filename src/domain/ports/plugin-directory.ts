/** The plugins whose functions receive events, and their states. */
import type { EventType } from "../model/event.ts";

export const pluginStates = ["idle", "running", "failing", "cannot_open"] as const;
/** A plugin's state: idle, at a call, failed at its last call, or not openable for it. */
export type PluginState = (typeof pluginStates)[number];

export type PluginHealth = Readonly<{
  /** Its name in this server; its own name is `plugin`. */
  name: string;
  plugin: string;
  summary: string;
  permissions: readonly string[];
  events: readonly EventType[];
  /** Whether it answers requests. */
  fetch: boolean;
  reach: Readonly<{ net?: readonly string[]; read?: readonly string[]; write?: readonly string[] }>;
  limitMs: number;
  state: PluginState;
  calls: number;
  failures: number;
  lastError?: string;
  lastCalledAt?: string;
}>;

export interface PluginDirectory {
  /** In the order of the settings.
   * @throws DomainError of a plugin that cannot be loaded */
  list(): Promise<readonly PluginHealth[]>;
}
