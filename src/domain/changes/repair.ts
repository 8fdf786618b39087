/** The two ways to make record and VM agree again. Neither happens by itself. */
import { DomainError } from "../error.ts";
import { bootOrderOf, bootWith } from "../model/boot-order.ts";
import { InstallationStatus } from "../model/installation.ts";
import { isDrifted, repairFindings, rolesIn } from "../model/repair-findings.ts";
import type { State } from "../model/state.ts";
import { diskOf } from "../model/vm.ts";
import type { VmRecord } from "../model/vm-record.ts";
import type { Change } from "./catalogue.ts";
import { vmOf } from "./change.ts";

/** Adopts the present definition. The status comes from the tag when the tag is newer than the record, or when
 * `statusFrom` says so: after a revert to a snapshot the disk is as old as the tag. */
export function adoptChanges(state: State, statusFrom?: "record" | "tag"): Change[] {
  const vm = vmOf(state);
  const record = state.record!;
  const { order } = bootOrderOf(vm.next, rolesIn(vm, record));
  const tagged = vm.claim?.uuid === vm.uuid ? InstallationStatus.safeParse(vm.claim.status).data : undefined;
  const newer = (vm.claim?.revision ?? 0) > record.revision;
  const useTag = statusFrom === undefined ? newer : statusFrom === "tag";
  const status = useTag && tagged ? tagged : record.status;
  const drifted = isDrifted(vm, record);
  return [
    ...(repairFindings(state).length > 0 || status !== record.status ? agreed(state, { status, name: vm.name }) : []),
    ...(drifted ? [{ kind: "boot_order.adopt" as const, order }] : []),
  ];
}

/** Changes a present definition back to what is on record.
 * @throws DomainError REPAIR_IMPOSSIBLE when the definition lacks the system disk on record */
export function putBackChanges(state: State): Change[] {
  const vm = vmOf(state);
  const { name, status, requestedOrder, roles } = state.record!;
  if (roles.systemDisk !== undefined && !diskOf(vm.next, roles.systemDisk)) {
    const reason = `its definition no longer has disk ${roles.systemDisk}; restore_definition puts back a definition that has it`;
    throw new DomainError("REPAIR_IMPOSSIBLE", { vm: vm.name, reason });
  }
  const found = repairFindings(state).map(({ code }) => code);
  if (found.includes("DEFINITION_EDITED")) {
    const reason =
      "only the kept definitions show how it was before: list_definitions lists them, restore_definition puts one back";
    throw new DomainError("REPAIR_IMPOSSIBLE", { vm: vm.name, reason });
  }
  const drifted = requestedOrder !== undefined && bootOrderOf(vm.next, roles).order !== requestedOrder;
  return [
    ...(vm.name === name ? [] : [{ kind: "vm.rename" as const, name }]),
    ...(drifted
      ? [{ kind: "boot_order.set" as const, boot: bootWith(vm.next, roles, requestedOrder), order: requestedOrder }]
      : []),
    ...(found.some((code) => code !== "VM_RENAMED") ? agreed(state, { status, name }) : []),
  ];
}

/** Gives tag and record one new revision, so that an older text of the definition is recognised when it turns up
 * again. */
function agreed({ vm, record }: State, { status, name }: Pick<VmRecord, "status" | "name">): Change[] {
  const own = vm?.claim?.uuid === record!.uuid ? vm.claim.revision : 0;
  const revision = Math.max(record!.revision, own) + 1;
  return [
    { kind: "claim.write", tag: { uuid: record!.uuid, revision, status } },
    { kind: "record.reconcile", name, status, revision, roles: rolesIn(vm!, record!) },
  ];
}
