/** Undoes an applied operation later and on purpose, only while its effects are still there. */
import { type Change, definitionOf } from "../changes/catalogue.ts";
import type { Operation, Step } from "../changes/operation.ts";
import { DomainError } from "../error.ts";
import type { State } from "../model/state.ts";

/** The changes that bring back the state before the operation, last step first.
 * @throws DomainError UNDO_IMPOSSIBLE with the reason */
export function undoChanges(operation: Operation, state: State): Change[] {
  const refuse = (reason: string) => new DomainError("UNDO_IMPOSSIBLE", { operation: operation.id, reason });
  if (operation.status !== "applied") throw refuse(`it ended ${operation.status}, so there is nothing to undo`);
  return [...operation.steps].reverse().flatMap((step): Change[] => {
    if (step.unreadable !== undefined) throw refuse(step.unreadable);
    const { undoLater, undo, reached, summary } = definitionOf(step.change);
    if (undoLater === "impossible") throw refuse(`"${summary(step.change)}" cannot be undone`);
    const made = undoLater.inRun?.(step, state) ?? step;
    const { change, before, goal } = made;
    const back = undo(before, change);
    if (typeof back === "string") throw refuse(`"${summary(change)}" cannot be undone`);
    if (!reached(state, goal, change, before))
      throw refuse(`"${summary(change)}" is no longer as the operation left it`);
    return back.flatMap((one) => (undoLater.instead?.(one, made) ?? [one]) as Change[]);
  });
}

/** Paths of the ISOs that the undo would put into drives again. */
export const mediaBefore = ({ steps }: Operation): string[] => [...new Set(steps.flatMap(isosBefore))];

function isosBefore(step: Step): readonly string[] {
  if (step.unreadable !== undefined) return [];
  const { undoLater } = definitionOf(step.change);
  return undoLater === "impossible" ? [] : (undoLater.isos?.(step) ?? []);
}
