/** How long the tools that only read wait for a hypervisor: one that hangs must not keep an answer from those who ask
 * about another, nor what is on record from those who ask about its own. */

import { withDeadline } from "../domain/deadline.ts";
import { DomainError } from "../domain/error.ts";
import type { Backend } from "../domain/ports/backend.ts";

/** A look takes milliseconds, and a list of a thousand VMs a second or so. */
const LOOK_LIMIT_MS = 5_000;

/** The same backend, whose looks fail with BACKEND_UNAVAILABLE where they have not been answered after a few seconds. */
export function patient(backend: Backend): Backend {
  const { connection } = backend;
  return {
    ...backend,
    list: (signal) => soon(connection, signal, (limited) => backend.list(limited)),
    observe: (uuid, signal) => soon(connection, signal, (limited) => backend.observe(uuid, limited)),
    lookup: (name, signal) => soon(connection, signal, (limited) => backend.lookup(name, limited)),
  };
}

async function soon<T>(
  connection: string,
  signal: AbortSignal | undefined,
  ask: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  let told: AbortSignal | undefined;
  const work = (limit: AbortSignal) => {
    told = limit;
    return ask(limit);
  };
  try {
    return await withDeadline(LOOK_LIMIT_MS, work, signal);
  } catch (error) {
    // However the backend ends once its time is up, that it was up is the reason.
    if (!told?.aborted || signal?.aborted) throw error;
    const reason = `no answer within ${LOOK_LIMIT_MS / 1000} s`;
    throw new DomainError("BACKEND_UNAVAILABLE", { connection, reason }, { cause: error });
  }
}
