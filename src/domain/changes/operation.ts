/** The journal's unit: one recorded run of one or more changes on one target. Plain data, stored as it is. */

import type { State } from "../model/state.ts";
import type { Target } from "../model/vm.ts";
import type { Change } from "./catalogue.ts";

/** `done`: seen to have happened. `undone`: seen to be as before. `kept`: happened and stays, since it has no undo. */
export type StepStatus = "planned" | "applying" | "done" | "undone" | "kept";

export type Step = Readonly<{
  change: Change;
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
