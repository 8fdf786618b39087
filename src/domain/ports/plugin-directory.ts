/** How the plugins are whose functions are told of events. */
import type { EventType } from "../model/event.ts";

export const pluginStates = ["idle", "running", "failing", "cannot_open"] as const;
/** Idle, or at a call; or its last call failed; or it could not be opened for it. */
export type PluginState = (typeof pluginStates)[number];

export type PluginHealth = Readonly<{
  /** What it goes by here; its own name is `plugin`. */
  name: string;
  plugin: string;
  summary: string;
  permissions: readonly string[];
  events: readonly EventType[];
  /** It answers requests. */
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
