/** Calls in flight: sent and not answered, so they may still run after an observation that did not see their effect. */

import type { Operation, Step } from "../changes/operation.ts";
import type { State } from "../model/state.ts";
import type { Ports } from "../ports/operation-ports.ts";
import { observeOptionsFor, reobserve } from "./observe.ts";

/** How often, and at which interval, to look for a call's effect before it counts as unknown or as absent. */
const POLLS_MAX = 10;
const POLL_MS = 300;

/** Observes repeatedly, for three seconds, until `isThere` holds or an observation fails. */
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

/** The step, marked that its call, or the call that undoes it, may run until then. */
export const withInFlightUntil = (step: Step, until: string | undefined): Step => {
  const { maybeInFlightUntil: _old, ...rest } = step;
  return until === undefined ? rest : { ...rest, maybeInFlightUntil: until };
};

/** Until when a call of one of these steps may still run; `undefined` once none may. */
export function inFlightUntil(steps: readonly Step[], now: Date): string | undefined {
  const marks = steps.map(({ maybeInFlightUntil }) => maybeInFlightUntil).filter((until) => until !== undefined);
  return marks
    .filter((until) => Date.parse(until) > now.getTime())
    .sort()
    .at(-1);
}
