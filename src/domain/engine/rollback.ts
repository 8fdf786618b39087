/** Undoes the steps of a failed operation, last first. Each undo is narrow and observed afterwards. */

import { type Change, definitionOf, writesDefinition } from "../changes/catalogue.ts";
import type { Undo } from "../changes/change.ts";
import type { Operation, Step } from "../changes/operation.ts";
import type { State } from "../model/state.ts";
import type { Ports } from "../ports/operation-ports.ts";
import { applyChange } from "./apply.ts";
import { withInFlightUntil } from "./in-flight.ts";
import { observeOptionsFor, reobserve } from "./observe.ts";
import { APPLY_LIMIT_MS, type CallOutcome, tryCall } from "./try-call.ts";

/** The steps after the rollback, and why it stopped. `failed`: an undo failed. `unknown`: an undo could not be
 * observed, so the VM has to be observed again. */
export type RollbackResult = Readonly<{ steps: readonly Step[]; now: State; failed?: string; unknown?: string }>;

/** Undoes the steps that are done or were being applied. It stops at the first undo that fails, since the remaining
 * result may depend on earlier steps (a definition on its disk). */
export async function rollBack(
  ports: Ports,
  operation: Operation,
  steps: readonly Step[],
  now: State,
): Promise<RollbackResult> {
  const result = [...steps];
  let seen = now;
  const isPivot = ({ change, before, status }: Step) =>
    status === "done" && definitionOf(change).undo(before, change) === "pivot";
  // Past the pivot nothing is put back: a definition whose disk is gone would be worse than none.
  if (steps.some(isPivot)) return { steps: steps.map(pastReturn), now };
  await ports.store.advance(operation.id, result, "back");
  for (let index = result.length - 1; index >= 0; index--) {
    const step = result[index]!;
    if (step.status === "planned" || step.status === "undone" || step.status === "kept") continue;
    if (definitionOf(step.change).appliedBy === "store") {
      result[index] = { ...step, status: "undone" };
      continue;
    }
    const undo = definitionOf(step.change).undo(step.before, step.change);
    const left = step.status === "applying" ? leftOf(step, seen) : "whole";
    if (left === "nothing") {
      result[index] = { ...step, status: "planned" };
      continue;
    }
    // The present value may come from another program, which knows nothing of this operation.
    if (left === "other") return { steps: result, now: seen, failed: neither(step) };
    if (undo === "kept" || undo === "pivot") {
      result[index] = { ...step, status: step.status === "applying" ? "planned" : "kept" };
      continue;
    }
    // An earlier, interrupted undo may have got this far.
    if (isBack(step, undo, seen)) {
      result[index] = undone(step);
      continue;
    }
    // Another program's later edit is never overwritten.
    if (
      writesDefinition(step.change) &&
      step.wrote !== undefined &&
      seen.vm &&
      seen.vm.fingerprint !== lastWritten(result)
    ) {
      return { steps: result, now: seen, failed: "another program changed the VM after this operation wrote it" };
    }
    const { failure, hung, until } = await attemptUndo(ports, operation, undo, seen);
    const looked = await reobserve(ports, operation, observeOptionsFor(operation));
    const { kind } = step.change;
    if (until !== undefined) result[index] = withInFlightUntil(step, until);
    if (looked instanceof Error)
      return {
        steps: result,
        now: seen,
        unknown: `the VM could not be observed after undoing "${kind}": ${looked.message}`,
      };
    if (!isBack(step, undo, looked)) {
      const reason = failure?.message ?? "the VM does not show it";
      const stopped = `undoing "${kind}" failed: ${reason}`;
      return { steps: result, now: looked, ...(hung ? { unknown: stopped } : { failed: stopped }) };
    }
    seen = looked;
    result[index] = undone(step);
    if (seen.vm) markWritten(result, seen.vm.fingerprint);
  }
  return { steps: result, now: seen };
}

const pastReturn = (step: Step): Step => {
  if (step.status === "done") return { ...step, status: "kept" };
  return step.status === "applying" ? { ...step, status: "planned" } : step;
};

type Undoing = Exclude<Undo, "kept" | "pivot">;

const attemptUndo = (ports: Ports, operation: Operation, undo: Undoing, seen: State): Promise<CallOutcome> =>
  tryCall(ports, "undo", APPLY_LIMIT_MS, async (signal) => {
    const context = { signal, progress: () => {}, ...(seen.vm && { expect: seen.vm.fingerprint }) };
    if (undo === "restore") {
      if (operation.definition === undefined) throw new TypeError("The operation has kept no definition");
      await ports.backend.importDefinition(operation.target.uuid, operation.definition, context);
      return;
    }
    for (const change of undo) await applyChange(ports, seen, change as Change, context);
  });

/** Whether the step's effect is gone after this undo. */
const isBack = ({ before }: Step, undo: Undoing, seen: State): boolean => {
  if (undo === "restore") return seen.vm?.fingerprint === before.vm?.fingerprint;
  return undo.every((change) => definitionOf(change as Change).reached(seen, before, change as Change, seen));
};

/** Whether the values that a step changes are still, or again, as before it. */
export function isAsBefore(step: Step, seen: State): boolean {
  const undo = definitionOf(step.change).undo(step.before, step.change);
  return undo !== "kept" && undo !== "pivot" && isBack(step, undo, seen);
}

/** Whether nothing of this step is left to undo. */
export function isUndone(step: Step, seen: State): boolean {
  if (step.status === "planned" || step.status === "undone" || step.status === "kept") return true;
  const undo = definitionOf(step.change).undo(step.before, step.change);
  return undo === "kept" || undo === "pivot" || isBack(step, undo, seen);
}

const undone = ({ wrote: _old, ...step }: Step): Step => withInFlightUntil({ ...step, status: "undone" }, undefined);

/** The remains of a step that began and missed its goal. `half`: a part of it, such as the file that it was making or
 * one of the two definitions. `other`: a value that is neither the old nor the requested one, so another program may
 * have set it. */
function leftOf(step: Step, seen: State): "nothing" | "half" | "other" {
  const { change, before, goal, artifacts } = step;
  if (artifacts.some((path) => seen.disks[path]?.state !== "missing")) return "half";
  const { undo: undoOf, isHalf, removesVm, writes } = definitionOf(change);
  const undo = undoOf(before, change);
  if (undo === "kept" || undo === "pivot" || isBack(step, undo, seen)) return "nothing";
  // Only this operation knows the UUID of a VM that did not exist before.
  if (!before.vm) return before.record ? "other" : "half";
  if (!seen.vm) return removesVm ? "half" : "other";
  // A setting of a run ended with the run.
  if (writes === "run" && !seen.vm.live) return "nothing";
  return isHalf?.(seen, goal, change, before) ? "half" : "other";
}

const neither = ({ change }: Step): string =>
  `the value that "${change.kind}" sets is neither the old nor the requested one, so another program may have set it`;

/** The fingerprint of the definition if only this operation wrote it. */
const lastWritten = (steps: readonly Step[]) => steps.findLast(({ wrote }) => wrote !== undefined)?.wrote;

function markWritten(steps: Step[], fingerprint: string): void {
  const index = steps.findLastIndex(({ wrote }) => wrote !== undefined);
  if (index >= 0) steps[index] = { ...steps[index]!, wrote: fingerprint };
}
