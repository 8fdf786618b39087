/** Changes of the installation status, and of the claim tag that repeats it. */
import { z } from "zod";
import { DomainError } from "../error.ts";
import { statusAfter, Transition, transitions } from "../model/installation.ts";
import type { State } from "../model/state.ts";
import { ClaimTag } from "../model/vm.ts";
import { defineChange, vmOf } from "./change.ts";

export const installationChanges = {
  "installation.set": defineChange({
    input: z.object({ transition: Transition, evidence: z.string().exactOptional() }),
    appliedBy: "store",
    writes: "record",
    run: "keeps",
    observes: () => ({ record: true }),
    takesDefinition: false,
    removesVm: false,
    explains: () => ({}),
    undoLater: "impossible",
    again: "never",
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
  /** Writes the claim tag into the definition; rebuild_database restores a lost record from it. Without `tag`, removes
   * it. */
  "claim.write": defineChange({
    input: z.object({ tag: ClaimTag.optional() }),
    appliedBy: "backend",
    writes: "definition",
    run: "keeps",
    observes: () => ({ vm: "next" }),
    takesDefinition: false,
    removesVm: false,
    explains: () => ({}),
    undoLater: "impossible",
    again: "never",
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
/** The changes that make one transition: the record, and the claim tag that repeats it. */
export function transitionChanges(state: State, transition: Transition, evidence?: string) {
  const record = recordOf(state);
  const status = statusAfter(record.name, record.status, transition);
  const tag = { uuid: record.uuid, revision: record.revision + 1, status };
  return [
    { kind: "claim.write" as const, tag },
    { kind: "installation.set" as const, transition, ...(evidence !== undefined && { evidence }) },
  ];
}
export function recordOf(state: State) {
  if (!state.record) throw new DomainError("VM_NOT_MANAGED", { vm: state.vm?.name ?? state.target.uuid });
  return state.record;
}
