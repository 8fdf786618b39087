/** Calls that may fail, may fail after working, and may never return. */

import { DeadlineExceeded, withDeadline } from "../deadline.ts";
import { DomainError } from "../error.ts";
import type { Ports } from "../ports/operation-ports.ts";

export const APPLY_LIMIT_MS = 60_000;

/** How a call ended. `hung`: it did not end and may still take effect. `until`: the latest time for that, known when
 * the call was given up before its time limit. */
export type CallOutcome = Readonly<{ failure?: Error; hung: boolean; until?: string }>;

/** Makes a call within its time limit. An error does not prove that nothing happened, so it is returned, not thrown. */
export async function tryCall(
  { backend, now }: Ports,
  change: string,
  limitMs: number,
  call: (limit: AbortSignal) => Promise<unknown>,
): Promise<CallOutcome> {
  const sent = now().getTime();
  try {
    await withDeadline(limitMs, call);
    return { hung: false };
  } catch (error) {
    if (error instanceof DeadlineExceeded) {
      const { connection } = backend;
      return { failure: new DomainError("BACKEND_FAILED", { connection, change, reason: error.message }), hung: true };
    }
    const failure = error instanceof Error ? error : new Error(String(error));
    if (!(failure instanceof DomainError && failure.unanswered)) return { failure, hung: false };
    const outlivesMs = Math.min(limitMs, backend.callOutlivesCallerMs ?? limitMs);
    return { failure, hung: true, until: new Date(sent + outlivesMs).toISOString() };
  }
}
