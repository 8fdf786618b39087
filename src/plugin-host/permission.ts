/** Which tools a plugin's functions may call: those that its manifest declares, a loss with a permission of its own. */
import { DomainError } from "../domain/error.ts";
import type { Permission } from "../plugin.ts";
import type { CallTool } from "./conversation.ts";

export type Effect = "read" | "change" | "destroy";

/** The tools as the host is given them. */
export type PluginTools = Readonly<{
  /** Undefined for a tool that there is not, which the call itself refuses. */
  effectOf(tool: string): Effect | undefined;
  /** @throws DomainError a refusal; anything else is a defect */
  call(plugin: string, tool: string, args: unknown, signal: AbortSignal): Promise<Record<string, unknown>>;
}>;

const needed: Record<Effect, Permission> = { read: "vm:read", change: "vm:write", destroy: "vm:destroy" };

/** @throws DomainError PERMISSION_DENIED, and what the tool refuses with */
export function permittedTools(plugin: string, permissions: readonly Permission[], tools: PluginTools): CallTool {
  const demand = (tool: string, needs: Permission) => {
    if (!permissions.includes(needs)) throw new DomainError("PERMISSION_DENIED", { plugin, tool, needs, permissions });
  };
  const mayDestroy = permissions.includes("vm:destroy");
  return async (tool, args, signal) => {
    demand(tool, needed[tools.effectOf(tool) ?? "read"]);
    // Where a loss is confirmed is nothing that a plugin may have found out elsewhere.
    if (confirmOf(args) !== undefined) demand(tool, "vm:destroy");
    try {
      return await tools.call(plugin, tool, args, signal);
    } catch (error) {
      if (!isToBeConfirmed(error)) throw error;
      if (mayDestroy) return tools.call(plugin, tool, { ...(args as object), confirm: error.details.confirm }, signal);
      // The refusal is the plugin's to know, the token is not.
      throw new DomainError("CONFIRMATION_REQUIRED", { ...error.details, confirm: "" });
    }
  };
}

const confirmOf = (args: unknown) => (args as { confirm?: unknown } | null | undefined)?.confirm;
const isToBeConfirmed = (error: unknown): error is DomainError<"CONFIRMATION_REQUIRED"> =>
  error instanceof DomainError && error.code === "CONFIRMATION_REQUIRED";
