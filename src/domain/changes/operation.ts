/** The journal's unit: one recorded run of one or more changes on one target. Plain data, stored as it is. */

import type { Facets, State } from "../model/state.ts";
import type { Target } from "../model/vm.ts";
import { type Change, definitionOf } from "./catalogue.ts";

/** `done`: observed to have happened. `undone`: observed to be as before. `kept`: happened and stays, having no
 * undo. */
export type StepStatus = "planned" | "applying" | "done" | "undone" | "kept";

export type Step = Readonly<{
  change: Change;
  /** What it does, as the program that wrote it put it. */
  summary: string;
  /** The states before and after it, with the facets that its change observes. */
  before: State;
  goal: State;
  /** Files that this step makes; recorded before they exist. */
  artifacts: readonly string[];
  status: StepStatus;
  /** The observed fingerprint of the definition after this step. */
  wrote?: string;
  /** Until when the call that makes or undoes this step, which was sent and not answered, may still run. Observations
   * before then do not show whether it will. */
  maybeInFlightUntil?: string;
  /** Why this program cannot read the step's change, which another version wrote. Such a step is shown and never
   * applied. */
  unreadable?: string;
}>;

/** `applied`: the goal was observed. `rolled_back`: everything is as before. `failed`: it missed the goal, and the
 * steps show what stays. `rollback_failed`: it ended in between, as the error describes. `unknown`: it could not be
 * observed. */
export type OperationStatus = "begun" | "applied" | "rolled_back" | "failed" | "rollback_failed" | "unknown";

export type Operation = Readonly<{
  id: string;
  /** The VM that it is about. */
  target: Target;
  /** All VMs and things that it holds, `target` first; absent when it holds only `target`. */
  targets?: readonly Target[];
  /** Who asked: a surface and its client, `mcp:claude-code 2.1` or `cli`. */
  actor: string;
  /** The tool that was called. */
  what: string;
  direction: "forward" | "back";
  status: OperationStatus;
  /** The state when it began. */
  before?: State;
  steps: readonly Step[];
  /** The definition before the operation, opaque, passwords included; never shown to anyone. */
  definition?: string;
  begunAt: string;
  settledAt?: string;
  error?: Readonly<{ code: string; message: string }>;
}>;

/** All VMs and things that an operation holds. */
export const targetsOf = ({ target, targets = [target] }: Operation): readonly Target[] => targets;

/** Describes how an operation that was left open was settled. */
export function settledInWords({ id, what, target, status: was }: Operation, status: OperationStatus): string {
  const why = was === "unknown" ? "whose outcome was unknown" : "left by a process that ended";
  return `operation ${id} (${what} on ${target.uuid}), ${why}: ${status}`;
}

/** The planned final state of an operation: the goals of its steps, applied in turn. */
export const plannedEnd = ({ target, before, steps }: Operation): State =>
  steps.reduce<State>(
    (state, { change, goal, unreadable }) =>
      unreadable === undefined ? withGoal(state, goal, definitionOf(change).observes(change)) : state,
    before ?? { target, disks: {}, isos: {} },
  );

function withGoal({ vm, record, ...state }: State, goal: State, facets: Facets): State {
  const after = facets.vm ? goal.vm : vm;
  // A step that does not observe the running definition leaves it as it is.
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
