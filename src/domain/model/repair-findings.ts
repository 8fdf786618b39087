/** When the record and the machine say different things, since another program removed, renamed, replaced, rolled back or
 * cloned a definition: how that is noticed. */
import { bootOrderOf, rolesOf } from "./boot-order.ts";
import { type Finding, finding, fixCall } from "./finding.ts";
import type { State } from "./state.ts";
import { type ClaimTag, diskOf, type Vm } from "./vm.ts";
import type { VmRecord } from "./vm-record.ts";

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

export const isDrifted = (vm: Vm, record: VmRecord): boolean =>
  record.requestedOrder !== undefined && bootOrderOf(vm.next, rolesIn(vm, record)).order !== record.requestedOrder;

const edited = (state: State) =>
  finding(
    "DEFINITION_EDITED",
    "another program changed its definition, in something other than its boot order, since Bootwright last wrote or took it",
    [repair(state, "adopt"), fixCall("list_definitions", state)],
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

/** The roles on record, as long as the system disk is there that they name. */
export const rolesIn = ({ next }: Vm, { roles }: VmRecord) =>
  roles.systemDisk === undefined || diskOf(next, roles.systemDisk) ? roles : rolesOf(next);
