/** Calls and requests for tests. */
import type { Request } from "../../src/domain/engine/operate.ts";
import type { CallContext } from "../../src/domain/ports/call-context.ts";

/** The parts of a request and its call that a test sets. */
export type Asked = Partial<Omit<Request, "context"> & CallContext>;

/** Makes a call without a limit of time. */
export const callOf = (actor: string, signal = new AbortController().signal): CallContext => ({
  actor,
  signal,
  deadline: { signal, end: () => {} },
  progress: () => {},
});

/** Makes a request with its call; `more` replaces the defaults. */
export function requestWith(
  usual: Pick<Request, "target" | "what" | "intent" | "subject">,
  { actor = "test", signal = new AbortController().signal, progress = () => {}, log, begun, expect, ...more }: Asked,
): Request {
  const hooks = { ...(log && { log }), ...(begun && { begun }), ...(expect && { expect }) };
  const context = { ...callOf(actor, signal), progress, ...hooks };
  return { ...usual, context, ...more };
}
