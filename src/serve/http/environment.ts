/** What a request brings with it: where it came in, and, once that is known, who asks. */
import type { Context } from "hono";
import type { WebSocket } from "ws";
import type { Scope } from "../../domain/scope.ts";
import { authorise, type Principal } from "../dispatch.ts";
import type { Here } from "./host-origin-check.ts";
import { HttpError } from "./http-error.ts";
import type { Caller } from "./token.ts";

export type Environment = {
  Bindings: {
    here: Here;
    remote: string;
    /** How long a body may take to arrive. */
    bodyMs: number;
    /** Told once it is known who asks: from then on the connection is no stranger's. */
    authenticated: () => void;
    /** Turns the connection into a WebSocket, where that is what was asked for; undefined where it cannot be one. What is
     * answered after that nobody sees. */
    upgrade?: () => WebSocket | undefined;
  };
  Variables: {
    caller: Caller;
    /** The cookie that a browser was let in by. */
    session?: string;
    /** Whether who was let in still would be. */
    isStillAuthenticated: () => boolean;
    /** Counts a change towards what one caller may do in a time. @throws HttpError RATE_EXCEEDED */
    countChange: () => void;
    /** What a page's content security policy has beside what all have. */
    policy?: string;
    /** What `WWW-Authenticate` says about a scope that is lacking. */
    challenge?: (scope: Scope) => string;
  };
};
export type HttpContext = Context<Environment>;

/** Who calls, for the dispatcher. */
export function principalIn(context: HttpContext): Principal {
  const caller = context.get("caller");
  const { name, scopes, person, mayAskForMore } = caller;
  return {
    actor: `http:${name}`,
    scopes,
    // A program is not a person, and only one at the page can be asked.
    agreement: person ? "person" : "program",
    lacks(scope) {
      const challenge = mayAskForMore && context.get("challenge")?.(scope);
      return scopeMissing(caller, scope, challenge ? { "www-authenticate": challenge } : {});
    },
  };
}

export const scopeMissing = ({ name, scopes }: Caller, scope: Scope, headers: Readonly<Record<string, string>> = {}) =>
  new HttpError("SCOPE_MISSING", { caller: name, scope, has: scopes }, headers);

/** @throws HttpError SCOPE_MISSING */
export function requireScope(context: HttpContext, scope: Scope): Caller {
  authorise(principalIn(context), scope);
  return context.get("caller");
}
