/** Every call of a tool, whichever surface it comes in on: authorise -> count -> run -> confirm -> defect. A surface only
 * says who calls, and gives the answer its form. */
import { DomainError } from "../domain/error.ts";
import type { CallContext } from "../domain/ports/call-context.ts";
import { type Scope, scopeFor, scopes } from "../domain/scope.ts";
import { callTool } from "../tools/call.ts";
import { CALLS_MAX } from "./bounds.ts";
import { defectOf } from "./defect.ts";
import type { Session } from "./session.ts";
import { isRefusal } from "./surface-refusal.ts";
import type { Work } from "./work.ts";

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

/** Makes one call.
 * @throws DomainError or SurfaceRefusal, which are answers; Defect; what the call ended with after its signal aborted */
export type Dispatch = (
  principal: Principal,
  tool: string,
  args: unknown,
  call: Omit<CallContext, "actor">,
) => Promise<Record<string, unknown>>;

export type DispatchOptions = Readonly<{
  session: Session;
  /** The calls under way on this surface. Each surface has its own count, so that none keeps another from answering. */
  work: Pick<Work, "count" | "add">;
}>;

export function dispatcher({ session, work }: DispatchOptions): Dispatch {
  return async (principal, tool, args, call) => {
    const run = (given: unknown) =>
      callTool(session.tools, tool, given, session.context({ ...call, actor: principal.actor }));
    try {
      // A tool that there is not is refused only for who may look at the list of those that there are.
      const effect = session.tools.find(({ name }) => name === tool)?.effect ?? "read";
      authorise(principal, scopeFor[effect], tool);
      // Where a loss is agreed to is nothing that such a caller may have found out elsewhere.
      if (principal.agreement === "scope" && confirmIn(args) !== undefined) authorise(principal, "vm:destroy", tool);
      if (work.count() >= CALLS_MAX) throw new DomainError("SERVER_BUSY", { calls: CALLS_MAX });
      return await work.add(
        run(args).catch((error: unknown) => {
          if (!isToBeConfirmed(error)) throw error;
          const confirm = agreed(session, principal, error);
          return run({ ...(args as object), confirm });
        }),
      );
    } catch (error) {
      throw isRefusal(error) || call.signal.aborted ? error : defectOf(session, error);
    }
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
function agreed(
  { confirm: by }: Pick<Session, "confirm">,
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
