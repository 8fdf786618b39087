/** The configured connections. */
import type { Backend, Capabilities } from "./backend.ts";

/** The configured connections. Nothing is connected until a backend is first used. */
export interface Connections {
  readonly names: readonly string[];
  /** Read from the plugin, without connecting. */
  capabilities(name: string): Capabilities;
  /** @throws DomainError CONNECTION_NOT_FOUND, PLUGIN_CONFIG_INVALID */
  backend(name: string): Promise<Backend>;
}
