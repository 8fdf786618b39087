/** The context of a request: its connection, and after authentication its caller. */
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
    /** The time for a body to arrive, in milliseconds. */
    bodyMs: number;
    /** Called after authentication: the connection no longer counts as unauthenticated. */
    authenticated: () => void;
    /** Turns the connection into a WebSocket, if the request asks for one. Returns undefined for a bad handshake. The
     * response to the request is then discarded. */
    upgrade?: () => WebSocket | undefined;
  };
  Variables: {
    caller: Caller;
    /** The session cookie of a browser. */
    session?: string;
    /** Whether the caller's token or session is still valid. */
    isStillAuthenticated: () => boolean;
    /** Counts a change towards the caller's rate. @throws HttpError RATE_EXCEEDED */
    countChange: () => void;
    /** Further directives of a page's content security policy. */
    policy?: string;
    /** The `WWW-Authenticate` header for a missing scope. */
    challenge?: (scope: Scope) => string;
  };
};
export type HttpContext = Context<Environment>;

/** The caller as the dispatcher's principal. */
export function principalIn(context: HttpContext): Principal {
  const caller = context.get("caller");
  const { name, scopes, person, mayAskForMore } = caller;
  return {
    actor: `http:${name}`,
    scopes,
    // Only a person at the page can be asked.
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
