/** Makes the tool calls of all surfaces: authorise -> count -> run -> confirm -> defect. A surface names the caller and
 * formats the answer. */
import { type Deadline, startDeadline } from "../domain/deadline.ts";
import { DomainError } from "../domain/error.ts";
import type { CallContext } from "../domain/ports/call-context.ts";
import { type Scope, scopeFor, scopes } from "../domain/scope.ts";
import { callTool } from "../tools/call.ts";
import { callLimitMs, limitOf, type ToolContext } from "../tools/tool.ts";
import type { AppContext } from "./app-context.ts";
import { defectOf } from "./defect.ts";
import type { InFlightCalls } from "./in-flight-calls.ts";
import { CALLS_MAX } from "./limits.ts";
import { isRefusal } from "./surface-error.ts";

/** Who agrees to a loss:
 * - `person`: the surface can ask a person, and shows the losses with the token that agrees to them.
 * - `program`: the program may pass the question on to its user, unless only a person may agree (`--confirm human`).
 * - `scope`: the program can ask nobody. It agrees by its scope vm:destroy, and without that scope never gets the token. */
export type Agreement = "person" | "program" | "scope";

/** The caller, as its surface knows it. */
export type Principal = Readonly<{
  /** The caller's name in the history. */
  actor: string;
  scopes: readonly Scope[];
  /** The error for a missing scope. */
  lacks: (scope: Scope, tool: string) => Error;
  agreement: Agreement;
}>;

/** The part of a call's context that its surface gives. */
export type GivenCall = Omit<CallContext, "actor" | "deadline">;

/** What a call needs: a scope, and its time limit in milliseconds. */
export type Demand = Readonly<{ needs: Scope; limitMs: number; tool?: string }>;

/** Both throw DomainError or SurfaceError (answers), Defect, and after an abort of the signal whatever the call threw. */
export type Dispatcher = Readonly<{
  /** Makes one call of a tool. */
  call(principal: Principal, tool: string, args: unknown, call: GivenCall): Promise<Record<string, unknown>>;
  /** Does other work for a caller, under the same rules. */
  perform<T>(
    principal: Principal,
    asked: Demand,
    call: GivenCall,
    work: (context: ToolContext) => Promise<T>,
  ): Promise<T>;
}>;

export type DispatchOptions = Readonly<{
  appContext: AppContext;
  /** The calls in flight on this surface. Each surface has its own count, so that no surface blocks another. */
  inFlight: Pick<InFlightCalls, "count" | "add">;
}>;

export function dispatcherFor({ appContext, inFlight }: DispatchOptions): Dispatcher {
  const { services, log, tools } = appContext;
  const perform: Dispatcher["perform"] = async (principal, { needs, limitMs, tool = "" }, given, work) => {
    let deadline: Deadline | undefined;
    try {
      authorise(principal, needs, tool);
      if (inFlight.count() >= CALLS_MAX) throw new DomainError("SERVER_BUSY", { calls: CALLS_MAX });
      deadline = startDeadline(limitMs, given.signal);
      const call = { log, ...given, actor: principal.actor, deadline };
      return await inFlight.add(work({ ...services, call }));
    } catch (error) {
      throw isRefusal(error) || given.signal.aborted ? error : defectOf(appContext, error);
    } finally {
      deadline?.end();
    }
  };
  return {
    perform,
    async call(principal, name, args, given) {
      const tool = tools.find((candidate) => candidate.name === name);
      // An unknown tool needs vm:read, so that the list of known tools goes only to callers that may read.
      const needs = scopeFor[tool?.effect ?? "read"];
      // A caller that agrees by scope may not use a token from elsewhere without that scope.
      const agrees = principal.agreement === "scope" && confirmIn(args) !== undefined;
      if (agrees) authorise(principal, needs, name);
      const asked = {
        needs: agrees ? ("vm:destroy" as const) : needs,
        limitMs: tool ? limitOf(tool, services.claimWaitMs) : callLimitMs.read,
        tool: name,
      };
      return perform(principal, asked, given, (context) => {
        const run = (wanted: unknown) => callTool(tools, name, wanted, context);
        return run(args).catch((error: unknown) => {
          if (!isToBeConfirmed(error)) throw error;
          const confirm = confirmationToken(appContext, principal, error);
          return run({ ...(args as object), confirm });
        });
      });
    },
  };
}

/** @throws the principal's own error if it lacks the scope */
export function authorise(principal: Pick<Principal, "scopes" | "lacks">, needs: Scope, tool = ""): void {
  if (!principal.scopes.includes(needs)) throw principal.lacks(needs, tool);
}

/** A principal with every scope: whoever started this process has its user's rights. */
export const ownUser = (actor: string, agreement: Agreement): Principal => ({
  actor,
  scopes,
  lacks: (scope) => new TypeError(`a process's own user lacks ${scope}`),
  agreement,
});

/** The token by which the principal itself agrees to the loss.
 * @throws DomainError CONFIRMATION_REQUIRED, CONFIRMATION_BY_PERSON if it cannot agree itself */
function confirmationToken(
  { confirm: by }: Pick<AppContext, "confirm">,
  { agreement, scopes: held }: Principal,
  question: DomainError<"CONFIRMATION_REQUIRED">,
): string {
  const { details } = question;
  if (by === "human" && agreement !== "person")
    throw new DomainError("CONFIRMATION_BY_PERSON", { vm: details.vm, losses: details.losses });
  if (agreement !== "scope") throw question;
  if (held.includes("vm:destroy")) return details.confirm;
  throw new DomainError("CONFIRMATION_REQUIRED", { ...details, confirm: "" });
}

const confirmIn = (args: unknown) => (args as { confirm?: unknown } | null | undefined)?.confirm;

export const isToBeConfirmed = (error: unknown): error is DomainError<"CONFIRMATION_REQUIRED"> =>
  error instanceof DomainError && error.code === "CONFIRMATION_REQUIRED";
