/** Settling an operation that its process did not: by looking, never by remembering. */
import { definitionOf } from "./changes.ts";
import type { Ports } from "./operate.ts";
import type { Operation, OperationStatus, Step } from "./operation.ts";
import { lookAgain, lookFor } from "./run.ts";
import { settleApplied, settleFailed, settleUnknown } from "./settle.ts";
import { undoSteps } from "./undo.ts";

export type Recovered = Readonly<{ status: OperationStatus; error?: Readonly<{ code: string; message: string }> }>;

/** Forwards where the goal is reached, back otherwise. At most one step can be uncertain: the one being applied, since
 * each step is recorded before it starts. The caller holds the claim on the target. */
export async function recover(ports: Ports, operation: Operation, signal?: AbortSignal): Promise<Recovered> {
  signal?.throwIfAborted();
  const looked = await lookAgain(ports, operation, lookFor(operation));
  const before = operation.steps[0]?.before ?? { target: operation.target, disks: {}, isos: {} };
  try {
    if (looked instanceof Error) return await settleUnknown(ports, operation, operation.steps, looked);
    const steps = operation.steps.map((step): Step => {
      if (step.status !== "applying") return step;
      return definitionOf(step.change).reached(looked, step.goal, step.change, step.before)
        ? { ...step, status: "done" }
        : step;
    });
    const rest = steps.filter(({ status, change }) => status !== "done" && definitionOf(change).seat === "backend");
    const pivoted = steps.some(
      ({ status, change, before: was }) => status === "done" && definitionOf(change).undo(was, change) === "pivot",
    );
    if (operation.direction === "forward" && (rest.length === 0 || pivoted)) {
      // Past the point of no return what is left to do is files to remove, which a later deletion may find gone.
      for (const { change } of rest)
        await ports.backend.apply(looked.vm, change, { signal: AbortSignal.timeout(60_000), progress: () => {} });
      const done = steps.map((step): Step => ({ ...step, status: "done" }));
      await settleApplied(ports, operation, done, before, looked);
      return { status: "applied" };
    }
    const undone = await undoSteps(ports, operation, steps, looked);
    return await settleFailed(ports, operation, undone, new Interrupted(operation));
  } catch (error) {
    const settled = await ports.store.operation(operation.id);
    if (!settled || settled.status === "begun") throw error;
    return { status: settled.status, ...(settled.error && { error: settled.error }) };
  }
}

class Interrupted extends Error {
  constructor({ what }: Operation) {
    super(`the process that ran ${what} ended before it was done`);
  }
}
