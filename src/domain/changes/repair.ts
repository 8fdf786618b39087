/** When the record and the machine say different things, since another program removed, renamed, replaced, rolled back or
 * cloned a definition: how that is noticed, and the two ways to make both agree again. Nothing here happens by itself. */
import { z } from "zod";
import { bootOrderOf, bootWith, rolesOf } from "../model/boot-order.ts";
import { defineChange, vmOf } from "./change.ts";
import type { Change } from "./catalogue.ts";
import { DomainError } from "../error.ts";
import { fixCall, type Finding, finding } from "../model/finding.ts";
import { InstallationStatus } from "../model/installation.ts";
import type { State } from "./operation.ts";
import { type ClaimTag, diskOf, type Vm, VmName, type VmRecord } from "../model/vm.ts";

/** What is remarkable about the record and the claim tag, of a VM that is there or of one that should be. */
export function repairFindings(state: State): Finding[] {
  const { vm, record } = state;
  if (!vm) return record ? [gone(state)] : [];
  const clone = vm.claim !== undefined && vm.claim.uuid !== vm.uuid;
  if (!record) {
    if (clone) return [foreignClaim(state, vm.claim!)];
    return vm.claim ? [unrecorded(state, vm.claim)] : [];
  }
  const found: Finding[] = [];
  const because = replacedBecause(vm, record);
  if (clone) found.push(foreignClaim(state, vm.claim!));
  else if (vm.claim !== undefined && vm.claim.revision > record.revision) found.push(outdated(state, vm.claim));
  else if (because !== undefined) found.push(finding("DEFINITION_REPLACED", because, bothWays(state)));
  if (vm.name !== record.name) {
    found.push(finding("VM_RENAMED", `it is on record as ${record.name} and is called ${vm.name}`, bothWays(state)));
  }
  return found.length === 0 && isEdited(vm, record) ? [edited(state)] : found;
}

const repair = (state: State, action: "adopt" | "put_back") => fixCall("repair_vm", state, { action });
const bothWays = (state: State) => [repair(state, "adopt"), repair(state, "put_back")];

const gone = (state: State) =>
  finding("DEFINITION_GONE", "another program removed its definition; what is on record of it stays", [
    repair(state, "put_back"),
    fixCall("delete_vm", state),
  ]);

const foreignClaim = (state: State, { uuid }: ClaimTag) =>
  finding(
    "CLAIM_FOREIGN",
    `its metadata tag belongs to VM ${uuid}, so it was copied from that one`,
    state.record ? bothWays(state) : [fixCall("adopt_vm", state)],
  );

const unrecorded = (state: State, { status }: ClaimTag) =>
  finding(
    "RECORD_MISSING",
    `its metadata tag says that a Bootwright manages it (${status}), and this database has no record of it`,
    [fixCall("adopt_vm", state), { tool: "rebuild_database", arguments: { connection: state.target.connection } }],
  );

/** An edit that something else speaks of already is not told a second time. */
const isEdited = (vm: Vm, record: VmRecord): boolean =>
  record.fingerprint !== undefined && record.fingerprint !== vm.fingerprint && !isDrifted(vm, record);

const isDrifted = (vm: Vm, record: VmRecord): boolean =>
  record.requestedOrder !== undefined && bootOrderOf(vm.next, rolesIn(vm, record)).order !== record.requestedOrder;

const edited = (state: State) =>
  finding(
    "DEFINITION_EDITED",
    "another program changed its definition, in something other than its boot order, since Bootwright last wrote or took it",
    [repair(state, "adopt"), fixCall("list_backups", state)],
  );

const outdated = (state: State, { revision, status }: ClaimTag) =>
  finding(
    "RECORD_OUTDATED",
    `its metadata tag is newer than the record (revision ${revision}, ${status}, against ${state.record!.revision}, ${state.record!.status}), so the database is an older copy`,
    bothWays(state),
  );

/** A VM that an older program made may have had no tag yet, so that one missing tells nothing there. */
function replacedBecause({ claim, next }: Vm, { revision, status, origin, roles }: VmRecord): string | undefined {
  if (!claim) return origin === "migrated" ? undefined : "another program took the metadata tag out of its definition";
  if (claim.revision < revision) {
    return `its definition is an older one (revision ${claim.revision}, ${claim.status}) than the record (${revision}, ${status}): another program put it back, by a snapshot or from a file`;
  }
  if (roles.systemDisk === undefined || diskOf(next, roles.systemDisk)) return undefined;
  return `its system disk ${roles.systemDisk} is no longer in the definition`;
}

export const repairChanges = {
  /** What the record says of the VM itself, brought up to what is there. The boot order is a change of its own. */
  "record.reconcile": defineChange({
    input: z.object({
      name: VmName,
      status: InstallationStatus,
      revision: z.number().int().positive(),
      roles: z.object({ systemDisk: z.string().exactOptional(), isoDrive: z.string().exactOptional() }),
    }),
    appliedBy: "store",
    goal: (state) => state,
    reached: ({ record }, _goal, { name, status, revision, roles }) =>
      record?.name === name &&
      record.status === status &&
      record.revision === revision &&
      record.roles.systemDisk === roles.systemDisk &&
      record.roles.isoDrive === roles.isoDrive,
    undo: () => "kept",
    record: (record, _now, { name, status, revision, roles }) =>
      record ? { ...record, name, status, revision, roles } : null,
    events: ({ record }, _after, { name, status, revision }) => [
      {
        type: "vm.reconciled",
        data: {
          from: record && { name: record.name, status: record.status, revision: record.revision },
          to: { name, status, revision },
        },
      },
    ],
    summary: ({ name, status }) => `put on record that it is called ${name} and is ${status}`,
  }),
};

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
    const reason = `its disk ${roles.systemDisk} is no longer in the definition; restore_backup puts back a definition that has it`;
    throw new DomainError("REPAIR_IMPOSSIBLE", { vm: vm.name, reason });
  }
  const found = repairFindings(state).map(({ code }) => code);
  if (found.includes("DEFINITION_EDITED")) {
    const reason =
      "what its definition was before is in the kept ones alone: list_backups names them, restore_backup puts one back";
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

const rolesIn = ({ next }: Vm, { roles }: VmRecord) =>
  roles.systemDisk === undefined || diskOf(next, roles.systemDisk) ? roles : rolesOf(next);
