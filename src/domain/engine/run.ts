/** The second half of the flow: applies the steps one by one, observes after each, and undoes them when one fails. */

import { definitionOf, writesDefinition } from "../changes/catalogue.ts";
import type { Operation, Step } from "../changes/operation.ts";
import { DomainError } from "../error.ts";
import type { State } from "../model/state.ts";
import type { Ports } from "../ports/operation-ports.ts";
import { applyChange } from "./apply.ts";
import { pollUntilSeen, withInFlightUntil } from "./in-flight.ts";
import { observeOptionsFor, reobserve, withKnownFacts } from "./observe.ts";
import { rollBack } from "./rollback.ts";
import { settleApplied, settleFailed, settleUnknown } from "./settle.ts";
import { APPLY_LIMIT_MS, type CallOutcome, tryCall } from "./try-call.ts";

/** How often a restart retries its start after another program's edit. More edits in that moment mean that it should
 * stay off. */
const RESTARTS_MAX = 3;

export type Running = Readonly<{ signal: AbortSignal; progress: (message: string) => void }>;

/** Carries out a begun operation and settles it. Returns the state observed at the end.
 * @throws the error that made it fail, with `outcome` saying how the operation ended */
export async function run(ports: Ports, operation: Operation, before: State, request: Running): Promise<State> {
  const steps = [...operation.steps];
  const look = observeOptionsFor(operation);
  let seen = before;
  for (const [index, step] of steps.entries()) {
    if (definitionOf(step.change).appliedBy === "store") {
      steps[index] = { ...step, status: "done" };
      continue;
    }
    if (step.status !== "applying") {
      steps[index] = { ...step, status: "applying" };
      await ports.store.advance(operation.id, steps, "forward");
    }
    request.progress(definitionOf(step.change).summary(step.change));
    const begun = !request.signal.aborted;
    let { failure, hung, until } = await applyStep(ports, step, seen, request);
    let looked = await reobserve(ports, operation, look);
    // A restart must end with the VM running, and a start uses another program's edit anyway.
    for (let left = RESTARTS_MAX; left > 0 && isStartOfRestart(steps, index) && isChanged(failure); left--) {
      if (looked instanceof Error || looked.vm?.power !== "off") break;
      seen = withKnownFacts(looked, seen);
      ({ failure, hung, until } = await applyStep(ports, step, seen, request));
      looked = await reobserve(ports, operation, look);
    }
    const isReached = (now: State) => definitionOf(step.change).reached(now, step.goal, step.change, step.before);
    if (until !== undefined) {
      steps[index] = withInFlightUntil({ ...step, status: "applying" }, until);
      looked = await pollUntilSeen(ports, operation, looked, isReached);
    }
    if (looked instanceof Error) return settleUnknown(ports, operation, steps, failure ?? looked);
    if (isReached(looked)) {
      const wrote = looked.vm && writesDefinition(step.change) ? { wrote: looked.vm.fingerprint } : {};
      steps[index] = { ...step, status: "done", ...wrote };
      seen = withKnownFacts(looked, seen);
      continue;
    }
    const error = failure ?? new DomainError("GOAL_NOT_REACHED", { vm: nameIn(before), change: step.change.kind });
    // A call that has not returned may still take effect after the observation.
    if (hung) return settleUnknown(ports, operation, steps, error);
    // The step touched nothing, so any half of it that is visible comes from another program and stays.
    if (!begun || isChanged(failure)) steps[index] = { ...step, status: "planned" };
    const undone = await rollBack(ports, operation, steps, looked);
    return settleFailed(ports, operation, before, undone, error);
  }
  return settleApplied(ports, operation, steps, before, seen);
}

const isChanged = (failure: Error | undefined): boolean =>
  failure instanceof DomainError && failure.code === "VM_CHANGED_MEANWHILE";

const isStartOfRestart = (steps: readonly Step[], index: number): boolean =>
  steps[index] !== undefined && definitionOf(steps[index].change).run === "begins" && endedRun(steps.slice(0, index));

/** Whether a step of the operation has ended the VM's run. */
export const endedRun = (steps: readonly Step[]): boolean =>
  steps.some(({ change, status }) => status === "done" && definitionOf(change).run === "ends");

/** Applies one step within its time limit. The caller's cancellation interrupts only a `cancellable` step; otherwise it
 * takes effect between steps. */
async function applyStep(ports: Ports, step: Step, seen: State, request: Running): Promise<CallOutcome> {
  const definition = definitionOf(step.change);
  const cancelled = () => ({ failure: new DomainError("CANCELLED", { vm: nameIn(seen) }), hung: false });
  if (request.signal.aborted) return cancelled();
  const limitMs = definition.limitMs?.(step.change) ?? APPLY_LIMIT_MS;
  const tried = await tryCall(ports, step.change.kind, limitMs, (limit) => {
    const signal = definition.cancellable ? AbortSignal.any([request.signal, limit]) : limit;
    const context = { signal, progress: request.progress, ...(seen.vm && { expect: seen.vm.fingerprint }) };
    return applyChange(ports, seen, step.change, context);
  });
  return tried.failure && !tried.hung && definition.cancellable && request.signal.aborted ? cancelled() : tried;
}

const nameIn = (state: State) => state.vm?.name ?? state.record?.name ?? state.target.uuid;
