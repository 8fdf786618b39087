/** The journal's unit: one recorded run of one or more changes on one target. Plain data, stored as it is. */

import type { Facets, State } from "../model/state.ts";
import type { Target } from "../model/vm.ts";
import { type Change, definitionOf } from "./catalogue.ts";

/** `done`: seen to have happened. `undone`: seen to be as before. `kept`: happened and stays, since it has no undo. */
export type StepStatus = "planned" | "applying" | "done" | "undone" | "kept";

export type Step = Readonly<{
  change: Change;
  /** What it does, in the words of the program that wrote it. */
  summary: string;
  /** Before and after it, with the facets that its change observes. */
  before: State;
  goal: State;
  /** Files that this step makes; recorded before they exist. */
  artifacts: readonly string[];
  status: StepStatus;
  /** The fingerprint of the definition after this step, as we saw it. */
  wrote?: string;
  /** The call that was to make this step, or to undo it, went out and was not answered: until then it may still be carried
   * out, and what is seen before says nothing about whether it will be. */
  maybeInFlightUntil?: string;
  /** Why this program cannot read its change, which another version wrote: it is shown, and nothing is made of it. */
  unreadable?: string;
}>;

/** `applied`: the goal was seen. `rolled_back`: everything is as before. `failed`: ended short of the goal, and what
 * stays is in the steps. `rollback_failed`: something in between, which the error names. `unknown`: nobody could look. */
export type OperationStatus = "begun" | "applied" | "rolled_back" | "failed" | "rollback_failed" | "unknown";

export type Operation = Readonly<{
  id: string;
  target: Target;
  /** Who asked: a surface and its client, `mcp:claude-code 2.1` or `cli`. */
  actor: string;
  /** The tool that was called. */
  what: string;
  direction: "forward" | "back";
  status: OperationStatus;
  /** What was true when it began. */
  before?: State;
  steps: readonly Step[];
  /** The definition before the operation, opaque and with its passwords; never shown to anyone. */
  definition?: string;
  begunAt: string;
  settledAt?: string;
  error?: Readonly<{ code: string; message: string }>;
}>;

/** What became of an operation that had been left open. */
export function settledInWords({ id, what, target, status: was }: Operation, status: OperationStatus): string {
  const why = was === "unknown" ? "of which nobody knew how it ended" : "left by a process that ended";
  return `operation ${id} (${what} on ${target.uuid}), ${why}: ${status}`;
}

/** Where an operation that reached its goal leaves its target, as it was planned: what each step leads to, in turn. */
export const plannedEnd = ({ target, before, steps }: Operation): State =>
  steps.reduce<State>(
    (state, { change, goal, unreadable }) =>
      unreadable === undefined ? withGoal(state, goal, definitionOf(change).observes(change)) : state,
    before ?? { target, disks: {}, isos: {} },
  );

function withGoal({ vm, record, ...state }: State, goal: State, facets: Facets): State {
  const after = facets.vm ? goal.vm : vm;
  // A step that does not look at what runs leaves it as it is.
  const live = facets.vm === "next" && after?.run === vm?.run && after?.power !== "off" ? vm?.live : undefined;
  const known = facets.record ? goal.record : record;
  return {
    ...state,
    ...(after && { vm: { ...after, ...(live && { live }) } }),
    ...(known && { record: known }),
    disks: { ...state.disks, ...goal.disks },
    isos: { ...state.isos, ...goal.isos },
  };
}
