/** How long the tools that only read wait for a hypervisor: one that hangs must not keep an answer from those who ask
 * about another, nor what is on record from those who ask about its own. */
import { DomainError } from "../domain/error.ts";
import type { Backend } from "../domain/port.ts";

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
  const limit = AbortSignal.timeout(LOOK_LIMIT_MS);
  const reason = `no answer within ${LOOK_LIMIT_MS / 1000} s`;
  // It must not wait for a backend that does not follow the signal.
  const late = new Promise<never>((_, reject) => {
    const tooLate = () => reject(new DomainError("BACKEND_UNAVAILABLE", { connection, reason }));
    limit.addEventListener("abort", tooLate, { once: true });
  });
  return Promise.race([late, ask(signal ? AbortSignal.any([signal, limit]) : limit)]);
}
