/** The two ways to make record and machine agree again. Nothing here happens by itself. */
import { DomainError } from "../error.ts";
import { bootOrderOf, bootWith } from "../model/boot-order.ts";
import { InstallationStatus } from "../model/installation.ts";
import { isDrifted, repairFindings, rolesIn } from "../model/repair-findings.ts";
import type { State } from "../model/state.ts";
import { diskOf } from "../model/vm.ts";
import type { VmRecord } from "../model/vm-record.ts";
import type { Change } from "./catalogue.ts";
import { vmOf } from "./change.ts";

/** Takes what is there as it is. Of a tag that is newer than the record its status is taken too, and of any tag if
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

/** Brings a definition that is there back to what is on record of it.
 * @throws DomainError REPAIR_IMPOSSIBLE where the system disk on record is in it no longer */
export function putBackChanges(state: State): Change[] {
  const vm = vmOf(state);
  const { name, status, requestedOrder, roles } = state.record!;
  if (roles.systemDisk !== undefined && !diskOf(vm.next, roles.systemDisk)) {
    const reason = `its disk ${roles.systemDisk} is no longer in the definition; restore_definition puts back a definition that has it`;
    throw new DomainError("REPAIR_IMPOSSIBLE", { vm: vm.name, reason });
  }
  const found = repairFindings(state).map(({ code }) => code);
  if (found.includes("DEFINITION_EDITED")) {
    const reason =
      "what its definition was before is in the kept ones alone: list_definitions names them, restore_definition puts one back";
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

/** Tag and record with one new revision: whatever older text of the definition turns up again is then known as such. */
function agreed({ vm, record }: State, { status, name }: Pick<VmRecord, "status" | "name">): Change[] {
  const own = vm?.claim?.uuid === record!.uuid ? vm.claim.revision : 0;
  const revision = Math.max(record!.revision, own) + 1;
  return [
    { kind: "claim.write", tag: { uuid: record!.uuid, revision, status } },
    { kind: "record.reconcile", name, status, revision, roles: rolesIn(vm!, record!) },
  ];
}
