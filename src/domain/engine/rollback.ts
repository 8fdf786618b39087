/** Undoing the steps of an operation that failed, last first, each narrowly and each looked at again. */

import { type Change, definitionOf, writesDefinition } from "../changes/catalogue.ts";
import type { Undo } from "../changes/change.ts";
import type { Operation, Step } from "../changes/operation.ts";
import type { State } from "../model/state.ts";
import type { Ports } from "../ports/operation-ports.ts";
import { applyChange } from "./apply.ts";
import { withInFlightUntil } from "./in-flight.ts";
import { observeOptionsFor, reobserve } from "./observe.ts";
import { APPLY_LIMIT_MS, type CallOutcome, tryCall } from "./try-call.ts";

/** What became of the steps, and why it stopped: `failed`, an undo itself failed; `unknown`, nobody could see what it
 * did, so that somebody has to look again. */
export type RollbackResult = Readonly<{ steps: readonly Step[]; now: State; failed?: string; unknown?: string }>;

/** Undoes whatever of `steps` is done or was being applied. Stops at the first undo that fails, since what comes before
 * it may be stood on by what is still there (a definition on its disk). */
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
  // Past the point of no return nothing is put back: a definition whose disk is gone would be worse than none.
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
    // What stands there now may be somebody else's, who knows nothing of this operation.
    if (left === "other") return { steps: result, now: seen, failed: neither(step) };
    if (undo === "kept" || undo === "pivot") {
      result[index] = { ...step, status: step.status === "applying" ? "planned" : "kept" };
      continue;
    }
    // An undo that was itself interrupted may have got this far.
    if (isBack(step, undo, seen)) {
      result[index] = undone(step);
      continue;
    }
    // Somebody else's edit after ours is never rolled over.
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
      return { steps: result, now: seen, unknown: `after undoing "${kind}" nobody could look: ${looked.message}` };
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

/** Whether what the step changed is as it was before it. */
const isBack = ({ before }: Step, undo: Undoing, seen: State): boolean => {
  if (undo === "restore") return seen.vm?.fingerprint === before.vm?.fingerprint;
  return undo.every((change) => definitionOf(change as Change).reached(seen, before, change as Change, seen));
};

/** Whether what a step changes is still, or again, as it was before it. */
export function isAsBefore(step: Step, seen: State): boolean {
  const undo = definitionOf(step.change).undo(step.before, step.change);
  return undo !== "kept" && undo !== "pivot" && isBack(step, undo, seen);
}

/** Whether there is nothing left of this step, or nothing of it to undo. */
export function isUndone(step: Step, seen: State): boolean {
  if (step.status === "planned" || step.status === "undone" || step.status === "kept") return true;
  const undo = definitionOf(step.change).undo(step.before, step.change);
  return undo === "kept" || undo === "pivot" || isBack(step, undo, seen);
}

const undone = ({ wrote: _old, ...step }: Step): Step => withInFlightUntil({ ...step, status: "undone" }, undefined);

/** What is there of a step that was begun and whose goal is not there: `half` of it, the file that it was making or one of
 * the two definitions; `other`, what is neither as it was nor as it was asked for, and so may be another program's. */
function leftOf(step: Step, seen: State): "nothing" | "half" | "other" {
  const { change, before, goal, artifacts } = step;
  if (artifacts.some((path) => seen.disks[path]?.state !== "missing")) return "half";
  const { undo: undoOf, isHalf, removesVm, writes } = definitionOf(change);
  const undo = undoOf(before, change);
  if (undo === "kept" || undo === "pivot" || isBack(step, undo, seen)) return "nothing";
  // Nobody but this operation knows the UUID of a VM that never was.
  if (!before.vm) return before.record ? "other" : "half";
  if (!seen.vm) return removesVm ? "half" : "other";
  // What was set for a run has ended with it.
  if (writes === "run" && !seen.vm.live) return "nothing";
  return isHalf?.(seen, goal, change, before) ? "half" : "other";
}

const neither = ({ change }: Step): string =>
  `what "${change.kind}" sets is neither as it was nor as it was asked for, and may be another program's`;

/** The fingerprint that the definition has if nobody but this operation wrote it. */
const lastWritten = (steps: readonly Step[]) => steps.findLast(({ wrote }) => wrote !== undefined)?.wrote;

function markWritten(steps: Step[], fingerprint: string): void {
  const index = steps.findLastIndex(({ wrote }) => wrote !== undefined);
  if (index >= 0) steps[index] = { ...steps[index]!, wrote: fingerprint };
}
