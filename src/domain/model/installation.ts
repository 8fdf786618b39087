/** Installation status: what may follow what, and what a start is for. */
import { z } from "zod";
import { defineChange, vmOf } from "../changes/change.ts";
import { DomainError } from "../error.ts";
import type { State } from "../changes/operation.ts";
import { ClaimTag } from "./vm.ts";

export const InstallationStatus = z
  .enum(["NotInstalled", "Installing", "Installed", "InstallationFailed"])
  .describe("What is on record about the installation of an operating system on the VM's own disk");
export type InstallationStatus = z.infer<typeof InstallationStatus>;

export const Purpose = z
  .enum(["install", "live", "rescue", "normal"])
  .describe("What the run is for; only install moves the installation status to Installing");
export type Purpose = z.infer<typeof Purpose>;

export const AtReboot = z
  .enum(["tell", "eject", "boot_disk"])
  .describe(
    "What loop-guard does when the installer reboots: tell; eject the ISO, so that the reset falls through to the disk; or boot_disk: end the run, set the order hd and start again",
  );
export type AtReboot = z.infer<typeof AtReboot>;

export const transitions = {
  start_installation: { from: ["NotInstalled", "InstallationFailed"], to: "Installing", event: "installation.started" },
  complete: {
    from: ["Installing", "NotInstalled", "InstallationFailed"],
    to: "Installed",
    event: "installation.completed",
  },
  fail: { from: ["Installing"], to: "InstallationFailed", event: "installation.failed" },
  cancel: { from: ["Installing"], to: "NotInstalled", event: "installation.cancelled" },
  begin_reinstallation: { from: ["Installed"], to: "Installing", event: "installation.restarted" },
} as const satisfies Record<string, { from: readonly InstallationStatus[]; to: InstallationStatus; event: string }>;
export const Transition = z.enum(Object.keys(transitions) as [Transition, ...Transition[]]);
export type Transition = keyof typeof transitions;

/** The transitions that are legal from this status. */
export const legalFrom = (status: InstallationStatus): Transition[] =>
  (Object.keys(transitions) as Transition[]).filter((name) =>
    (transitions[name].from as readonly InstallationStatus[]).includes(status),
  );

/** The status that a transition leads to.
 * @throws DomainError INSTALLATION_TRANSITION_ILLEGAL with the legal transitions. */
export function statusAfter(vm: string, status: InstallationStatus, transition: Transition): InstallationStatus {
  const legal = legalFrom(status);
  if (!legal.includes(transition)) {
    throw new DomainError("INSTALLATION_TRANSITION_ILLEGAL", { vm, status, transition, legal });
  }
  return transitions[transition].to;
}

export const installationChanges = {
  "installation.set": defineChange({
    input: z.object({ transition: Transition, evidence: z.string().exactOptional() }),
    appliedBy: "store",
    gate: "status",
    goal(state, { transition }) {
      const record = recordOf(state);
      statusAfter(record.name, record.status, transition);
      return state;
    },
    reached: () => false,
    undo: () => "kept",
    record(record, _now, { transition }) {
      if (!record) return null;
      const { suggestion: _answered, ...rest } = record;
      return { ...rest, status: transitions[transition].to, revision: record.revision + 1 };
    },
    events: (before, _after, { transition, evidence }) => [
      {
        type: transitions[transition].event,
        data: {
          from: before.record?.status ?? null,
          to: transitions[transition].to,
          ...(evidence !== undefined && { evidence }),
        },
      },
    ],
    summary: ({ transition }) => `record the installation status ${transitions[transition].to}`,
  }),
  /** Writes the claim tag into the definition, as a witness that a lost database is rebuilt from; without a tag, takes
   * it out. */
  "claim.write": defineChange({
    input: z.object({ tag: ClaimTag.optional() }),
    appliedBy: "backend",
    goal(state, { tag }) {
      const { claim: _old, ...vm } = vmOf(state);
      return { ...state, vm: { ...vm, ...(tag && { claim: tag }) } };
    },
    reached: (now, _goal, { tag }) =>
      now.vm !== undefined &&
      now.vm.claim?.revision === tag?.revision &&
      now.vm.claim?.status === tag?.status &&
      now.vm.claim?.uuid === tag?.uuid,
    undo: (before) => [{ kind: "claim.write", ...(before.vm?.claim && { tag: before.vm.claim }) }],
    summary: ({ tag }) =>
      tag ? `write the metadata tag (revision ${tag.revision}, ${tag.status})` : "remove the metadata tag",
  }),
};

/** The changes that make one transition: the record, and the claim tag that witnesses it. */
export function transitionChanges(state: State, transition: Transition, evidence?: string) {
  const record = recordOf(state);
  const status = statusAfter(record.name, record.status, transition);
  const tag = { uuid: record.uuid, revision: record.revision + 1, status };
  return [
    { kind: "claim.write" as const, tag },
    { kind: "installation.set" as const, transition, ...(evidence !== undefined && { evidence }) },
  ];
}

function recordOf(state: State) {
  if (!state.record) throw new DomainError("VM_NOT_MANAGED", { vm: state.vm?.name ?? state.target.uuid });
  return state.record;
}
