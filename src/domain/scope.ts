/** The effect of a call, and the scope that its caller needs: the same for tokens, access tokens and plugins. */

/** read: looks only. change: can be undone by another call. destroy: loses data. */
export type Effect = "read" | "change" | "destroy";

export const scopes = ["vm:read", "vm:write", "vm:destroy"] as const;
export type Scope = (typeof scopes)[number];

export const scopeFor: Readonly<Record<Effect, Scope>> = {
  read: "vm:read",
  change: "vm:write",
  destroy: "vm:destroy",
};
