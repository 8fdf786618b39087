/** Every call of a tool, whichever surface it comes in on: authorise -> count -> run -> confirm -> defect. A surface only
 * says who calls, and gives the answer its form. */
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
 * - `person`: somebody who can be asked, and is shown what would be lost with the token that agrees to it.
 * - `program`: it may pass the question on to its user, unless a person alone may agree (`--confirm human`).
 * - `scope`: it can ask nobody, so it agrees where it has the scope vm:destroy; without, it never sees the token. */
export type Agreement = "person" | "program" | "scope";

/** Who calls, as its surface knows it. */
export type Principal = Readonly<{
  /** What history says of who asked. */
  actor: string;
  scopes: readonly Scope[];
  /** The refusal of a call that needs a scope which is lacking. */
  lacks: (scope: Scope, tool: string) => Error;
  agreement: Agreement;
}>;

/** What a surface knows of a call, beside who makes it. */
export type GivenCall = Omit<CallContext, "actor" | "deadline">;

/** What is asked for that is no tool's. */
export type Demand = Readonly<{ needs: Scope; limitMs: number; tool?: string }>;

/** Both throw DomainError or SurfaceError, which are answers; Defect; what a call ended with after its signal aborted. */
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
  /** The calls under way on this surface. Each surface has its own count, so that none keeps another from answering. */
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
      // Which tools there are is told only to those who may look.
      const needs = scopeFor[tool?.effect ?? "read"];
      // A caller that agrees to losses itself may have the token of none from elsewhere.
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

/** @throws the principal's own refusal where it lacks the scope */
export function authorise(principal: Pick<Principal, "scopes" | "lacks">, needs: Scope, tool = ""): void {
  if (!principal.scopes.includes(needs)) throw principal.lacks(needs, tool);
}

/** A principal that has every scope: whoever started this process may do what its user may. */
export const ownUser = (actor: string, agreement: Agreement): Principal => ({
  actor,
  scopes,
  lacks: (scope) => new TypeError(`a process's own user lacks ${scope}`),
  agreement,
});

/** The token that agrees to the loss on the principal's own behalf. @throws DomainError the question, to whom it may go */
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
