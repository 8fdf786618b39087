/** Calls that went out and whose end nobody heard: they may still be carried out, after a look that did not see it. */

import type { Operation, Step } from "../changes/operation.ts";
import type { State } from "../model/state.ts";
import type { Ports } from "../ports/operation-ports.ts";
import { observeOptionsFor, reobserve } from "./observe.ts";

/** How often, and after how long each time, to look for what went out before it counts as unknown, or as not done. */
const POLLS_MAX = 10;
const POLL_MS = 300;

/** Looks again and again, for three seconds, until what was looked for is there or nobody can look. */
export async function pollUntilSeen(
  ports: Ports,
  operation: Operation,
  first: State | Error,
  isThere: (now: State) => boolean,
): Promise<State | Error> {
  let looked = first;
  for (let left = POLLS_MAX; left > 0; left--) {
    if (looked instanceof Error || isThere(looked)) break;
    await new Promise((wake) => setTimeout(wake, POLL_MS));
    looked = await reobserve(ports, operation, observeOptionsFor(operation));
  }
  return looked;
}

/** The step with the mark that its call, or that of its undoing, may be carried out until then. */
export const withInFlightUntil = (step: Step, until: string | undefined): Step => {
  const { maybeInFlightUntil: _old, ...rest } = step;
  return until === undefined ? rest : { ...rest, maybeInFlightUntil: until };
};

/** Until when one of these steps may still happen, or be undone; `undefined` once none may. */
export function inFlightUntil(steps: readonly Step[], now: Date): string | undefined {
  const marks = steps.map(({ maybeInFlightUntil }) => maybeInFlightUntil).filter((until) => until !== undefined);
  return marks
    .filter((until) => Date.parse(until) > now.getTime())
    .sort()
    .at(-1);
}
