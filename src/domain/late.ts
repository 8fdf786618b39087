/** Calls that went out and whose end nobody heard: they may still be carried out, after a look that did not see it. */
import { lookAgain, lookFor } from "./observe.ts";
import type { Operation, State, Step } from "./operation.ts";
import type { Ports } from "./port.ts";

/** How often, and after how long each time, to look for what went out before it counts as unknown, or as not done. */
const LATE_LOOKS_MAX = 10;
const LATE_LOOK_MS = 300;

/** Looks again and again, for three seconds, until what was looked for is there or nobody can look. */
export async function lookLate(
  ports: Ports,
  operation: Operation,
  first: State | Error,
  isThere: (now: State) => boolean,
): Promise<State | Error> {
  let looked = first;
  for (let left = LATE_LOOKS_MAX; left > 0; left--) {
    if (looked instanceof Error || isThere(looked)) break;
    await new Promise((wake) => setTimeout(wake, LATE_LOOK_MS));
    looked = await lookAgain(ports, operation, lookFor(operation));
  }
  return looked;
}

/** The step with the mark that its call, or that of its undoing, may be carried out until then. */
export const marked = (step: Step, until: string | undefined): Step => {
  const { unanswered: _old, ...rest } = step;
  return until === undefined ? rest : { ...rest, unanswered: until };
};

/** Until when one of these steps may still happen, or be undone; `undefined` once none may. */
export function lateUntil(steps: readonly Step[], now: Date): string | undefined {
  const marks = steps.map(({ unanswered }) => unanswered).filter((until) => until !== undefined);
  return marks
    .filter((until) => Date.parse(until) > now.getTime())
    .sort()
    .at(-1);
}
