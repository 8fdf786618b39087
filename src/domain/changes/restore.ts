/** The changes that put a kept definition back, and those that bring back a VM that is gone. */
import { bootOrderOf, PresetOrder, rolesOf } from "../model/boot-order.ts";
import type { State } from "../model/state.ts";
import { type Change, definitionOf } from "./catalogue.ts";
import type { Operation } from "./operation.ts";

/** The change that puts back the definition that this operation kept; `undefined` if no VM existed before it. */
export function restoreChangeOf({ id, before }: Operation): Change<"definition.restore"> | undefined {
  const was = before?.vm;
  if (!was) return undefined;
  const { name, next, fingerprint, claim } = was;
  return { kind: "definition.restore", operation: id, name, next, fingerprint, ...(claim && { claim }) };
}
/** Puts a kept definition back with the present metadata tag, and adopts its boot order as the requested one. The
 * record stays valid: neither a drift nor a replaced definition is found afterwards. */
export function restoreChanges({ vm, record }: State, restore: Change<"definition.restore">): Change[] {
  const { uuid, revision, status, roles } = record!;
  // A hypervisor accepts another name for a known UUID only as a separate change.
  const rename = vm && vm.name !== restore.name ? [{ kind: "vm.rename" as const, name: restore.name }] : [];
  const renamed = { kind: "record.reconcile" as const, name: restore.name, status, revision, roles };
  return [...rename, restore, { kind: "claim.write", tag: { uuid, revision, status } }, renamed, adoptOrder(restore)];
}
const adoptOrder = ({ next }: Change<"definition.restore">): Change => {
  const order = PresetOrder.safeParse(bootOrderOf(next, rolesOf(next)).order);
  return { kind: "boot_order.adopt", order: order.data ?? "custom" };
};
/** Brings back a VM that is gone, as it was last known: from the newest kept definition and the changes of its
 * operation, or as it was created, if no operation followed. Returns `undefined` when nothing was kept. */
export function bringBackChanges({ record }: State, newest?: Operation, created?: Operation): Change[] | undefined {
  const { uuid, revision, status, requestedOrder, seen } = record!;
  const tag = { uuid, revision, status };
  const kept = newest && restoreChangeOf(newest);
  if (newest && kept) {
    const done = newest.status === "applied" ? readable(newest) : [];
    // The result of an operation that put a kept definition back is that definition.
    const at = done.findLastIndex((change) => definitionOf(change).appliedBy === "kept_definition");
    const base = done[at] ?? kept;
    const again = done.slice(at + 1).flatMap((change) => {
      const { again } = definitionOf(change);
      return again === "never" ? [] : [again(change)];
    });
    return [base, ...again, { kind: "claim.write", tag }];
  }
  const made = created && readable(created).find((change) => change.kind === "vm.create");
  if (made?.kind !== "vm.create") return undefined;
  const { isoPath: _then, ...spec } = made.spec;
  const media = seen?.media === undefined ? {} : { isoPath: seen.media };
  return [{ ...made, spec: { ...spec, order: requestedOrder ?? spec.order, ...media, claim: tag } }];
}

const readable = ({ steps }: Operation): Change[] =>
  steps.filter(({ unreadable }) => unreadable === undefined).map(({ change }) => change);
