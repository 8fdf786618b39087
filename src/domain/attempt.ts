/** Calls that may fail, may fail after working, and may never return. */
import { DomainError } from "./error.ts";
import { Hung, limited } from "./limit.ts";
import type { Ports } from "./port.ts";

export const APPLY_LIMIT_MS = 60_000;

/** How a call ended: `hung`, it has not, and may still happen. */
export type Attempt = Readonly<{ failure?: Error; hung: boolean }>;

/** Makes a call within its time limit. An error does not say that nothing happened, so it is only handed back. */
export async function attempt(
  { backend }: Ports,
  change: string,
  limitMs: number,
  call: (limit: AbortSignal) => Promise<unknown>,
): Promise<Attempt> {
  try {
    await limited(limitMs, call);
    return { hung: false };
  } catch (error) {
    if (error instanceof Hung) {
      const { connection } = backend;
      return { failure: new DomainError("BACKEND_FAILED", { connection, change, reason: error.message }), hung: true };
    }
    const failure = error instanceof Error ? error : new Error(String(error));
    return { failure, hung: failure instanceof DomainError && failure.unanswered };
  }
}
