/** The second half of the flow: apply the steps one by one, look after each, undo what was done when one fails. */
import { applyChange } from "./apply.ts";
import { APPLY_LIMIT_MS, type Attempt, attempt } from "./attempt.ts";
import { definitionOf } from "./changes.ts";
import { DomainError } from "./error.ts";
import { lookAgain, lookFor, withFactsOf } from "./observe.ts";
import type { Operation, State, Step } from "./operation.ts";
import type { Ports } from "./port.ts";
import { settleApplied, settleFailed, settleUnknown } from "./settle.ts";
import { undoSteps } from "./undo.ts";

export type Running = Readonly<{ signal: AbortSignal; progress: (message: string) => void }>;

/** Carries a begun operation through and settles it. Returns the state that was seen at the end.
 * @throws what made it fail, with `outcome` saying how the operation ended */
export async function run(ports: Ports, operation: Operation, before: State, request: Running): Promise<State> {
  const steps = [...operation.steps];
  const look = lookFor(operation);
  let seen = before;
  for (const [index, step] of steps.entries()) {
    if (definitionOf(step.change).seat === "store") {
      steps[index] = { ...step, status: "done" };
      continue;
    }
    if (step.status !== "applying") {
      steps[index] = { ...step, status: "applying" };
      await ports.store.advance(operation.id, steps, "forward");
    }
    request.progress(definitionOf(step.change).summary(step.change));
    const begun = !request.signal.aborted;
    const { failure, hung } = await applyStep(ports, step, seen, request);
    const looked = await lookAgain(ports, operation, look);
    if (looked instanceof Error) return settleUnknown(ports, operation, steps, failure ?? looked);
    if (definitionOf(step.change).reached(looked, step.goal, step.change, step.before)) {
      steps[index] = { ...step, status: "done", ...(looked.vm && { wrote: looked.vm.fingerprint }) };
      seen = withFactsOf(looked, seen);
      continue;
    }
    const error = failure ?? new DomainError("GOAL_NOT_REACHED", { vm: nameIn(before), change: step.change.kind });
    // What has not returned may still happen, after the look.
    if (hung) return settleUnknown(ports, operation, steps, error);
    // Where nothing was touched, what looks like half of the step is another program's doing, and stays.
    if (!begun || (failure instanceof DomainError && failure.code === "VM_CHANGED_MEANWHILE")) {
      steps[index] = { ...step, status: "planned" };
    }
    const undone = await undoSteps(ports, operation, steps, looked);
    return settleFailed(ports, operation, before, undone, error);
  }
  return settleApplied(ports, operation, steps, before, seen);
}

/** Applies one step within its time limit. The caller's cancellation reaches into a step only where that step can be
 * left half-way; else it counts between steps. */
async function applyStep(ports: Ports, step: Step, seen: State, request: Running): Promise<Attempt> {
  const definition = definitionOf(step.change);
  const cancelled = () => ({ failure: new DomainError("CANCELLED", { vm: nameIn(seen) }), hung: false });
  if (request.signal.aborted) return cancelled();
  const limitMs = definition.limitMs?.(step.change) ?? APPLY_LIMIT_MS;
  const tried = await attempt(ports, step.change.kind, limitMs, (limit) => {
    const signal = definition.cancellable ? AbortSignal.any([request.signal, limit]) : limit;
    const context = { signal, progress: request.progress, ...(seen.vm && { expect: seen.vm.fingerprint }) };
    return applyChange(ports, seen, step.change, context);
  });
  return tried.failure && !tried.hung && definition.cancellable && request.signal.aborted ? cancelled() : tried;
}

const nameIn = (state: State) => state.vm?.name ?? state.record?.name ?? state.target.uuid;
