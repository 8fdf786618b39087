/** Links that a guest may call. Each is made for one VM and one plugin, and is valid for one successful call. */

import type { Target } from "./model/vm.ts";
import type { ConfirmationStore } from "./ports/store.ts";

/** The part of the store that keeps links; it keeps only their hashes. */
export type LinkStore = ConfirmationStore;

const Token = /^([0-9a-z]{1,11})-[0-9a-f]{64}$/;

/** A new token with 244 random bits. It contains its own expiry, so that a token whose call failed can be offered again
 * for its remaining time; another expiry would make it another token. */
export function newLinkToken(newId: () => string, expiresAt: Date): string {
  const random = `${newId()}${newId()}`.replaceAll("-", "");
  return `${expiresAt.getTime().toString(36)}-${random}`;
}

/** The remaining time of a token in milliseconds; 0 for an expired or malformed token. */
export function timeLeft(token: string, now: Date): number {
  const [, end] = Token.exec(token) ?? [];
  return end === undefined ? 0 : Math.max(0, Number.parseInt(end, 36) - now.getTime());
}

/** The link's path below the listener's address. */
export const linkPath = (plugin: string, uuid: string, token: string): string => `/plugins/${plugin}/${uuid}/${token}`;

/** The subject that the token is bound to. */
export const linkSubject = (plugin: string, { connection, uuid }: Target): string =>
  `link:${plugin}:${connection}/${uuid}`;
