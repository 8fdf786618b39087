/** The second half of the flow: apply the steps one by one, look after each, undo what was done when one fails. */
import { applyChange } from "./apply.ts";
import { definitionOf } from "./changes.ts";
import { DomainError } from "./error.ts";
import { lookAgain, lookFor, withFactsOf } from "./observe.ts";
import type { Operation, State, Step } from "./operation.ts";
import type { Ports } from "./port.ts";
import { settleApplied, settleFailed, settleUnknown } from "./settle.ts";
import { undoSteps } from "./undo.ts";

const APPLY_LIMIT_MS = 60_000;
const GRACE_MS = 1_000;

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
    const { failure, hung } = await attempt(ports, step, seen, request);
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

type Attempt = Readonly<{ failure?: Error; hung: boolean }>;

/** Applies one step within its time limit. An error does not say that nothing happened, so it is only handed back. The
 * caller's cancellation reaches into a step only where that step can be left half-way; else it counts between steps. */
async function attempt(ports: Ports, step: Step, seen: State, request: Running): Promise<Attempt> {
  const definition = definitionOf(step.change);
  if (request.signal.aborted) return { failure: new DomainError("CANCELLED", { vm: nameIn(seen) }), hung: false };
  const limitMs = definition.limitMs?.(step.change) ?? APPLY_LIMIT_MS;
  const limit = AbortSignal.timeout(limitMs);
  const signal = definition.cancellable ? AbortSignal.any([request.signal, limit]) : limit;
  const silent = new Promise<Attempt>((resolve) => {
    const { connection } = ports.backend;
    const details = { connection, change: step.change.kind, reason: `no answer within ${limitMs / 1000} s` };
    const report = () => resolve({ failure: new DomainError("BACKEND_FAILED", details), hung: true });
    // The backend is told first, and gets a moment to say by itself how it ended.
    limit.addEventListener("abort", () => setTimeout(report, GRACE_MS), { once: true });
  });
  const context = { signal, progress: request.progress, ...(seen.vm && { expect: seen.vm.fingerprint }) };
  const applied = applyChange(ports, seen, step.change, context).then(
    (): Attempt => ({ hung: false }),
    (error: unknown): Attempt => {
      if (request.signal.aborted && signal.aborted)
        return { failure: new DomainError("CANCELLED", { vm: nameIn(seen) }), hung: false };
      return { failure: error instanceof Error ? error : new Error(String(error)), hung: false };
    },
  );
  return Promise.race([applied, silent]);
}

const nameIn = (state: State) => state.vm?.name ?? state.record?.name ?? state.target.uuid;
