/** Findings about a record and a VM that disagree, since another program removed, renamed, replaced, rolled back or
 * cloned the definition. */
import { bootOrderOf, rolesOf } from "./boot-order.ts";
import { type Finding, finding, fixCall } from "./finding.ts";
import type { State } from "./state.ts";
import { type ClaimTag, diskOf, type Vm } from "./vm.ts";
import type { VmRecord } from "./vm-record.ts";

/** Findings about the record and the claim tag, of a VM that exists or should exist. */
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
    found.push(
      finding("VM_RENAMED", `its name is ${vm.name}, and its record calls it ${record.name}`, bothWays(state)),
    );
  }
  return found.length === 0 && isEdited(vm, record) ? [edited(state)] : found;
}

const repair = (state: State, action: "adopt" | "put_back") => fixCall("repair_vm", state, { action });
const bothWays = (state: State) => [repair(state, "adopt"), repair(state, "put_back")];

const gone = (state: State) =>
  finding("DEFINITION_GONE", "another program removed its definition; its record stays", [
    repair(state, "put_back"),
    fixCall("delete_vm", state),
  ]);

const foreignClaim = (state: State, { uuid }: ClaimTag) =>
  finding(
    "CLAIM_FOREIGN",
    `its metadata tag belongs to VM ${uuid}, so its definition was copied from that VM`,
    state.record ? bothWays(state) : [fixCall("adopt_vm", state)],
  );

const unrecorded = (state: State, { status }: ClaimTag) =>
  finding(
    "RECORD_MISSING",
    `its metadata tag says that Bootwright manages it (${status}), and this database has no record of it`,
    [fixCall("adopt_vm", state), { tool: "rebuild_database", arguments: { connection: state.target.connection } }],
  );

/** An edit that another finding already reports is not reported a second time. */
const isEdited = (vm: Vm, record: VmRecord): boolean =>
  record.fingerprint !== undefined && record.fingerprint !== vm.fingerprint && !isDrifted(vm, record);

export const isDrifted = (vm: Vm, record: VmRecord): boolean =>
  record.requestedOrder !== undefined && bootOrderOf(vm.next, rolesIn(vm, record)).order !== record.requestedOrder;

const edited = (state: State) =>
  finding(
    "DEFINITION_EDITED",
    "another program changed something other than the boot order in its definition since Bootwright last wrote or adopted it",
    [repair(state, "adopt"), fixCall("list_definitions", state)],
  );

const outdated = (state: State, { revision, status }: ClaimTag) =>
  finding(
    "RECORD_OUTDATED",
    `its metadata tag is newer than the record (revision ${revision}, ${status}, against ${state.record!.revision}, ${state.record!.status}), so the database is an older copy`,
    bothWays(state),
  );

/** A missing tag means nothing for a VM that an older program made: it may never have had one. */
function replacedBecause({ claim, next }: Vm, { revision, status, origin, roles }: VmRecord): string | undefined {
  if (!claim) return origin === "migrated" ? undefined : "another program removed the metadata tag from its definition";
  if (claim.revision < revision) {
    return `its definition (revision ${claim.revision}, ${claim.status}) is older than the record (${revision}, ${status}): another program put it back, from a snapshot or a file`;
  }
  if (roles.systemDisk === undefined || diskOf(next, roles.systemDisk)) return undefined;
  return `its system disk ${roles.systemDisk} is no longer in the definition`;
}

/** The roles on record, as long as the definition has the system disk that they name. */
export const rolesIn = ({ next }: Vm, { roles }: VmRecord) =>
  roles.systemDisk === undefined || diskOf(next, roles.systemDisk) ? roles : rolesOf(next);
