/** Undoing an operation that was applied, later and on purpose: only while what it did is still there. */

import { type Change, definitionOf } from "../changes/catalogue.ts";
import type { Operation, Step } from "../changes/operation.ts";
import { DomainError } from "../error.ts";
import { bootOrderOf } from "../model/boot-order.ts";
import { rolesFor } from "../model/roles.ts";
import type { State } from "../model/state.ts";
import { driveOf } from "../model/vm.ts";

/** What can be put back without losing anything. Making a VM has a way back within its own operation; later that is a
 * deletion, which is asked for as one. */
const reversible = new Set<Change["kind"]>(["boot_order.set", "media.set", "drive.add"]);

/** The changes that bring back what was before the operation, last step first.
 * @throws DomainError UNDO_IMPOSSIBLE with the reason */
export function undoChanges(operation: Operation, state: State): Change[] {
  const refuse = (reason: string) => new DomainError("UNDO_IMPOSSIBLE", { operation: operation.id, reason });
  if (operation.status !== "applied") throw refuse(`it ended ${operation.status}, so there is nothing of it to undo`);
  return [...operation.steps].reverse().flatMap((made): Change[] => {
    const step = inThisRun(made, state);
    const { change, before, goal } = step;
    const definition = definitionOf(change);
    const undo = definition.undo(before, change);
    if (typeof undo === "string" || !reversible.has(change.kind))
      throw refuse(`there is no way back from "${definition.summary(change)}"`);
    if (!definition.reached(state, goal, change, before)) {
      throw refuse(`"${definition.summary(change)}" is no longer as the operation left it`);
    }
    return undo.flatMap((back) => asAsked(back as Change, step));
  });
}

/** A run that began after the operation took its medium from the next definition: what is undone for the next start is
 * undone in it, too. */
function inThisRun(step: Step, { vm }: State): Step {
  const { change, before } = step;
  if (change.kind !== "media.set" || !before.vm || !vm?.live || vm.run === before.vm.run) return step;
  const { live: _then, ...rest } = change;
  const { next } = before.vm;
  return {
    ...step,
    change: { ...rest, ...(rest.next !== undefined && { live: rest.next }) },
    before: { ...before, vm: { ...before.vm, ...(vm.run !== undefined && { run: vm.run }), live: next } },
  };
}

/** The ISOs that undoing the operation would put into drives again. */
export const mediaBefore = ({ steps }: Operation): string[] => [
  ...new Set(
    steps.flatMap(({ change, before: { vm } }) =>
      change.kind === "media.set" && vm
        ? [vm.next, vm.live].flatMap((definition) => (definition && driveOf(definition, change.drive)?.path) ?? [])
        : [],
    ),
  ),
];

/** An order that is put back on purpose is the order that is asked for from now on. What is none of the four cannot be
 * asked for, and then nothing is: else the next start would bring back what was undone. */
function asAsked(change: Change, { before }: Step): Change[] {
  if (change.kind !== "boot_order.set" || !before.record || !before.vm) return [change];
  const order = before.record.requestedOrder ?? bootOrderOf(before.vm.next, rolesFor(before)).order;
  return order === "custom" ? [change, { kind: "boot_order.adopt", order }] : [{ ...change, order }];
}
