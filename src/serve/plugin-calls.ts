/** Tool calls by plugins: a surface like MCP and the command line, without a person behind it. */
import { DomainError } from "../domain/error.ts";
import type { Scope } from "../domain/scope.ts";
import type { AppContext } from "./app-context.ts";
import { dispatcherFor } from "./dispatch.ts";
import { createInFlightCalls } from "./in-flight-calls.ts";

/** `name` is the plugin's name in this server. `permissions` are those in its manifest. */
export type CallingPlugin = Readonly<{ name: string; permissions: readonly Scope[] }>;

export type PluginCalls = Readonly<{
  /** @throws DomainError any refusal, also PERMISSION_DENIED; Defect */
  call(plugin: CallingPlugin, tool: string, args: unknown, signal: AbortSignal): Promise<Record<string, unknown>>;
}>;

export function pluginCalls(appContext: AppContext): PluginCalls {
  const dispatch = dispatcherFor({ appContext, inFlight: createInFlightCalls() });
  return {
    call({ name, permissions }, tool, args, signal) {
      const principal = {
        actor: `plugin:${name}`,
        scopes: permissions,
        agreement: "scope" as const,
        lacks: (needs: Scope, what: string) =>
          new DomainError("PERMISSION_DENIED", { plugin: name, tool: what, needs, permissions }),
      };
      return dispatch.call(principal, tool, args, { signal, progress: () => undefined });
    },
  };
}
