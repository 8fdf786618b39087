/** Links that a guest may call, each made for one VM and one plugin, and good for one call that succeeds. */

import type { Target } from "./model/vm.ts";
import type { ConfirmationStore } from "./ports/store.ts";

/** The part of the store that keeps them: of a link it has a hash alone. */
export type LinkStore = ConfirmationStore;

const Token = /^([0-9a-z]{1,11})-[0-9a-f]{64}$/;

/** A new token with 244 random bits. It says itself when it ends, so that one whose call failed can be offered again for
 * what is left of its time; another end would make it another token. */
export function newLinkToken(newId: () => string, expiresAt: Date): string {
  const random = `${newId()}${newId()}`.replaceAll("-", "");
  return `${expiresAt.getTime().toString(36)}-${random}`;
}

/** How long a token is still good, in milliseconds; 0 for one that has ended or is none. */
export function timeLeft(token: string, now: Date): number {
  const [, end] = Token.exec(token) ?? [];
  return end === undefined ? 0 : Math.max(0, Number.parseInt(end, 36) - now.getTime());
}

/** Where a guest finds it, below the address of the listener. */
export const linkPath = (plugin: string, uuid: string, token: string): string => `/plugins/${plugin}/${uuid}/${token}`;

/** What the token is bound to. */
export const linkSubject = (plugin: string, { connection, uuid }: Target): string =>
  `link:${plugin}:${connection}/${uuid}`;
