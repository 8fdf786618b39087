/** Undoing an operation that was applied, later and on purpose: only while what it did is still there. */
import { type Change, definitionOf } from "../changes/catalogue.ts";
import type { Operation, Step } from "../changes/operation.ts";
import { DomainError } from "../error.ts";
import type { State } from "../model/state.ts";

/** The changes that bring back what was before the operation, last step first.
 * @throws DomainError UNDO_IMPOSSIBLE with the reason */
export function undoChanges(operation: Operation, state: State): Change[] {
  const refuse = (reason: string) => new DomainError("UNDO_IMPOSSIBLE", { operation: operation.id, reason });
  if (operation.status !== "applied") throw refuse(`it ended ${operation.status}, so there is nothing of it to undo`);
  return [...operation.steps].reverse().flatMap((step): Change[] => {
    if (step.unreadable !== undefined) throw refuse(step.unreadable);
    const { undoLater, undo, reached, summary } = definitionOf(step.change);
    if (undoLater === "impossible") throw refuse(`there is no way back from "${summary(step.change)}"`);
    const made = undoLater.inRun?.(step, state) ?? step;
    const { change, before, goal } = made;
    const back = undo(before, change);
    if (typeof back === "string") throw refuse(`there is no way back from "${summary(change)}"`);
    if (!reached(state, goal, change, before))
      throw refuse(`"${summary(change)}" is no longer as the operation left it`);
    return back.flatMap((one) => (undoLater.instead?.(one, made) ?? [one]) as Change[]);
  });
}

/** The ISOs that undoing the operation would put into drives again. */
export const mediaBefore = ({ steps }: Operation): string[] => [...new Set(steps.flatMap(isosBefore))];

function isosBefore(step: Step): readonly string[] {
  if (step.unreadable !== undefined) return [];
  const { undoLater } = definitionOf(step.change);
  return undoLater === "impossible" ? [] : (undoLater.isos?.(step) ?? []);
}
