/** The changes that a start consists of, given the present state: media, drift, purpose, installation status. */

import { DomainError } from "../error.ts";
import { bootOrderOf, bootWith } from "../model/boot-order.ts";
import { bootReport } from "../model/boot-rules.ts";
import type { AtReboot, Purpose } from "../model/installation.ts";
import { rolesFor } from "../model/roles.ts";
import type { State } from "../model/state.ts";
import type { Change } from "./catalogue.ts";
import { vmOf } from "./change.ts";
import { goalOf } from "./goal.ts";
import { transitionChanges } from "./installation.ts";
import { mediaChange } from "./media.ts";

export type StartRequest = Readonly<{
  purpose?: Purpose | undefined;
  isoPath?: string | undefined;
  onDrift: "reassert" | "adopt";
  discardSavedState: boolean;
  /** Only for a run that installs. */
  atReboot?: AtReboot | undefined;
  /** The previous run's `atReboot`; this run keeps it if it installs, too. */
  kept?: AtReboot | undefined;
  at: string;
}>;

/** The changes that a start needs, in order. None for a VM that is running. */
export function startChanges(state: State, request: StartRequest): Change[] {
  const vm = vmOf(state);
  if (vm.power === "running") {
    const other = request.atReboot !== undefined && request.atReboot !== (state.record?.currentRun?.atReboot ?? "tell");
    if (request.isoPath !== undefined || request.purpose === "install" || other)
      throw new DomainError("VM_MUST_BE_OFF", { vm: vm.name, change: "power.start" });
    return [];
  }
  const changes: Change[] = [];
  if (request.isoPath !== undefined) changes.push(mediaChange(state, undefined, request.isoPath));
  changes.push(...driftChanges(state, request.onDrift));
  if (request.discardSavedState && vm.savedState) changes.push({ kind: "saved_state.discard" });
  const ready = changes.reduce(goalOf, state);
  const purpose = request.purpose ?? defaultPurpose(ready);
  if (purpose === "install" && state.record?.status !== "Installing")
    changes.push(...transitionChanges(state, "start_installation"));
  requireInstall(purpose, request.atReboot);
  return [...changes, ...powerOn(purpose, request.at, request.atReboot ?? request.kept)];
}

/** A start, and the change that ends its run at the guest's reboot if that is requested. */
export function powerOn(purpose: Purpose, at: string, wanted: AtReboot | undefined): Change[] {
  const atReboot = purpose === "install" && wanted !== "tell" ? wanted : undefined;
  const start: Change = { kind: "power.start", purpose, at, ...(atReboot && { atReboot }) };
  return atReboot === "boot_disk" ? [start, { kind: "reboot_action.set", endsRun: true }] : [start];
}

/** @throws DomainError INPUT_INVALID */
function requireInstall(purpose: Purpose, atReboot: AtReboot | undefined): void {
  if (purpose === "install" || atReboot === undefined || atReboot === "tell") return;
  const issue = `at_reboot: ${atReboot} is only for a run with purpose install, and this one's is ${purpose}`;
  throw new DomainError("INPUT_INVALID", { issues: [issue] });
}

/** Puts back an order that another program changed, or adopts it as the requested one. */
function driftChanges(state: State, onDrift: "reassert" | "adopt"): Change[] {
  const asked = state.record?.requestedOrder;
  const vm = vmOf(state);
  const roles = rolesFor(state);
  const { order } = bootOrderOf(vm.next, roles);
  if (asked === undefined || asked === order) return [];
  if (onDrift === "adopt") return [{ kind: "boot_order.adopt", order }];
  return [{ kind: "boot_order.set", boot: bootWith(vm.next, roles, asked), order: asked }];
}

/** `install` when media boots and the disk is blank or an installation is under way. */
function defaultPurpose(state: State): Purpose {
  const { boots, candidates } = bootReport(state).coldStart;
  const roles = rolesFor(state);
  const disk = vmOf(state).next.disks.find(({ target }) => target === roles.systemDisk);
  const blank = disk?.path !== undefined && state.disks[disk.path]?.content === "blank";
  const fromMedia = boots.device === "cdrom" || (boots.device === "unknown" && candidates[0]?.role === "cdrom");
  const status = state.record?.status;
  const installable = status === "NotInstalled" || status === "InstallationFailed" || status === "Installing";
  return fromMedia && installable && (blank || status === "Installing") ? "install" : "normal";
}
