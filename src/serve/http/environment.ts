/** What a request brings with it: where it came in, and, once that is known, who asks. */
import type { Context } from "hono";
import type { WebSocket } from "ws";
import type { Here } from "./gate.ts";
import { HttpRefusal } from "./refusal.ts";
import type { Caller, Scope } from "./token.ts";

export type Environment = {
  Bindings: {
    here: Here;
    remote: string;
    /** How long a body may take to arrive. */
    bodyMs: number;
    /** Told once it is known who asks: from then on the connection is no stranger's. */
    letIn: () => void;
    /** Turns the connection into a WebSocket, where that is what was asked for; undefined where it cannot be one. What is
     * answered after that nobody sees. */
    upgrade?: () => WebSocket | undefined;
  };
  Variables: {
    caller: Caller;
    /** The cookie that a browser was let in by. */
    session?: string;
    /** Whether who was let in still would be. */
    isLetIn: () => boolean;
    /** Counts a change towards what one caller may do in a time. @throws HttpRefusal RATE_EXCEEDED */
    countChange: () => void;
    /** What a page's content security policy has beside what all have. */
    policy?: string;
    /** What `WWW-Authenticate` says about a scope that is lacking. */
    challenge?: (scope: Scope) => string;
  };
};
export type HttpContext = Context<Environment>;

/** @throws HttpRefusal SCOPE_MISSING */
export function requireScope(context: HttpContext, scope: Scope): Caller {
  const caller = context.get("caller");
  if (caller.scopes.includes(scope)) return caller;
  const challenge = caller.mayAskForMore && context.get("challenge")?.(scope);
  throw new HttpRefusal(
    "SCOPE_MISSING",
    { caller: caller.name, scope, has: caller.scopes },
    challenge ? { "www-authenticate": challenge } : {},
  );
}
