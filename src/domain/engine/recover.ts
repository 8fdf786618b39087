/** Settles an operation that its own process left open: by observation, never from memory. */

import { definitionOf } from "../changes/catalogue.ts";
import { type Operation, type OperationStatus, type Step, targetsOf } from "../changes/operation.ts";
import type { State } from "../model/state.ts";
import type { Ports } from "../ports/operation-ports.ts";
import { applyChange } from "./apply.ts";
import { inFlightUntil, pollUntilSeen, withInFlightUntil } from "./in-flight.ts";
import { observeOptionsFor, reobserve, withKnownFacts } from "./observe.ts";
import { isAsBefore, isUndone, rollBack } from "./rollback.ts";
import { endedRun } from "./run.ts";
import { settleApplied, settleFailed, settleUnknown } from "./settle.ts";
import { APPLY_LIMIT_MS, tryCall } from "./try-call.ts";

/** `until`: the latest time at which a call of the operation may still run. */
export type Recovered = Readonly<{
  status: OperationStatus;
  error?: Readonly<{ code: string; message: string }>;
  until?: string;
}>;

/** Settles forwards when the goal is reached, and back otherwise, once no unanswered call can run any more. Only the
 * step being applied can be uncertain, since each step is recorded before it starts. The caller holds the claim on the
 * target. */
export async function recover(ports: Ports, operation: Operation, signal?: AbortSignal): Promise<Recovered> {
  signal?.throwIfAborted();
  const before = operation.before ?? { target: operation.target, disks: {}, isos: {} };
  const isReadable = operation.steps.every((step) => step.unreadable === undefined);
  const looked = isReadable ? await lookAtLeft(ports, operation) : before;
  const seen = looked instanceof Error ? looked : withKnownFacts(looked, before);
  const unreadable = operation.steps.find((step) => step.unreadable !== undefined)?.unreadable;
  try {
    if (unreadable !== undefined) return await settleUnknown(ports, operation, operation.steps, new Error(unreadable));
    if (seen instanceof Error) return await settleUnknown(ports, operation, operation.steps, seen);
    // A call that runs after the settlement would overwrite whatever was done to the VM by then.
    if (operation.steps.some((step) => isLate(ports, step) && !isSeen(operation, step, seen))) {
      const { message } = operation.error ?? new Interrupted(operation);
      return await settleUnknown(ports, operation, operation.steps, new Error(message));
    }
    const steps = operation.steps.map((step): Step => {
      const isDone = step.status === "applying" && isReached(step, seen);
      return withInFlightUntil(isDone ? { ...step, status: "done" } : step, undefined);
    });
    const rest = steps.filter(({ status, change }) => status !== "done" && definitionOf(change).appliedBy !== "store");
    const pivoted = steps.some(
      ({ status, change, before: was }) => status === "done" && definitionOf(change).undo(was, change) === "pivot",
    );
    // Changes of the store alone were not written yet, and no caller was told otherwise.
    const touched = steps.some(({ status, change }) => status === "done" && definitionOf(change).appliedBy !== "store");
    if (
      operation.direction === "forward" &&
      touched &&
      (rest.length === 0 || pivoted || isRestart(steps, rest, seen))
    ) {
      const ended = await finish(ports, operation, steps, seen);
      if (ended.unknown) return await settleUnknown(ports, operation, ended.steps, ended.unknown);
      if (ended.failure) {
        const undone = await rollBack(ports, operation, ended.steps, ended.seen);
        return await settleFailed(ports, operation, before, undone, ended.failure);
      }
      await settleApplied(ports, operation, ended.steps, before, ended.seen);
      return { status: "applied" };
    }
    const undone = await rollBack(ports, operation, steps, seen);
    return await settleFailed(ports, operation, before, undone, new Interrupted(operation));
  } catch (error) {
    const settled = await ports.store.operation(operation.id);
    if (!settled || settled.status === "begun") throw error;
    const until = inFlightUntil(settled.steps, ports.now());
    return { status: settled.status, ...(settled.error && { error: settled.error }), ...(until && { until }) };
  }
}

const isReached = ({ change, goal, before }: Step, now: State): boolean =>
  definitionOf(change).reached(now, goal, change, before);

const isLate = (ports: Ports, step: Step): boolean => inFlightUntil([step], ports.now()) !== undefined;

/** Whether the effect of this step's call in flight is visible now. */
const isSeen = ({ direction }: Operation, step: Step, now: State): boolean =>
  direction === "back" ? isUndone(step, now) : isReached(step, now);

/** A daemon that has read the last call of a killed process still carries it out, a moment later if it is busy. The
 * time of that call is not recorded, so the observation waits the few seconds that an operation allows for a lost
 * answer. The full time limit of an unanswered call would be wrong here: few processes die with a call in flight, and
 * every VM would stay blocked for that long. */
async function lookAtLeft(ports: Ports, operation: Operation): Promise<State | Error> {
  const looked = await reobserve(ports, operation, observeOptionsFor(operation));
  if (operation.status !== "begun" || ports.backend.callOutlivesCallerMs === undefined) return looked;
  return pollUntilSeen(ports, operation, looked, (now) =>
    operation.steps.every((step) => step.status !== "applying" || isSeen(operation, step, now)),
  );
}

/** Whether this is a restart whose VM is off and waits for its start: left alone, it would stay off unnoticed. Changes
 * on the way to the start are made as well, unless another program changed the same meanwhile. */
const isRestart = (steps: readonly Step[], rest: readonly Step[], seen: State): boolean =>
  endedRun(steps) &&
  rest.some(({ change }) => definitionOf(change).run === "begins") &&
  rest.every((step) => {
    const { run, writes } = definitionOf(step.change);
    return run === "begins" || writes === "run" || isAsBefore(step, seen);
  });

type Finished = Readonly<{ steps: readonly Step[]; seen: State; failure?: Error; unknown?: Error }>;

/** Applies and observes the remaining steps: files to remove, which may be gone already, or a start. */
async function finish(ports: Ports, operation: Operation, steps: readonly Step[], now: State): Promise<Finished> {
  const ended = [...steps];
  let seen = now;
  let failure: Error | undefined;
  for (const [index, step] of steps.entries()) {
    const { change } = step;
    if (step.status === "done" || definitionOf(change).appliedBy === "store") {
      ended[index] = { ...step, status: "done" };
      continue;
    }
    const limitMs = definitionOf(change).limitMs?.(change) ?? APPLY_LIMIT_MS;
    const tried = await tryCall(ports, change.kind, limitMs, (signal) =>
      applyChange(ports, seen, change, { signal, progress: () => {}, ...(seen.vm && { expect: seen.vm.fingerprint }) }),
    );
    const looked = await reobserve(ports, operation, observeOptionsFor(operation));
    if (tried.until !== undefined) ended[index] = withInFlightUntil({ ...step, status: "applying" }, tried.until);
    if (looked instanceof Error) return { steps: ended, seen, unknown: looked };
    seen = withKnownFacts(looked, seen);
    if (isReached(step, looked)) ended[index] = { ...step, status: "done" };
    else {
      const error = tried.failure ?? new Error(`"${definitionOf(change).summary(change)}" had no visible effect`);
      if (tried.hung) return { steps: ended, seen, unknown: error };
      failure ??= error;
      ended[index] = { ...step, status: "planned" };
    }
  }
  return { steps: ended, seen, ...(failure && { failure }) };
}

export type Settled = Readonly<{ operation: Operation; status: OperationStatus }>;

/** Settles every operation that dead processes left open on this backend's VMs, one after the other. It skips VMs that
 * another process works on. `tell` is called with each settled operation.
 * @throws the first fault, once every VM has been tried */
export async function recoverAll(ports: Ports, signal: AbortSignal, report: (settled: Settled) => void): Promise<void> {
  const { backend, store } = ports;
  const open = (await store.open()).filter(({ target }) => target.connection === backend.connection);
  const faults: unknown[] = [];
  const lookedAt = new Set<string>();
  for (const one of open) {
    signal.throwIfAborted();
    if (lookedAt.has(one.id)) continue;
    const claim = await store
      .claim(targetsOf(one), { actor: "bootwright", what: "recovery" }, 0, signal)
      .catch(() => undefined);
    try {
      for (const operation of claim?.left ?? []) {
        // An operation that holds further targets gets a turn of its own, with all of them claimed.
        const isHeld = targetsOf(operation).every(({ uuid }) => claim!.targets.some((held) => held.uuid === uuid));
        if (!isHeld || lookedAt.has(operation.id)) continue;
        lookedAt.add(operation.id);
        const { status } = await recover(ports, operation, signal);
        report({ operation, status });
      }
    } catch (error) {
      faults.push(error);
    } finally {
      await claim?.release();
    }
  }
  if (faults.length > 0) throw faults[0];
}

class Interrupted extends Error {
  constructor({ what }: Operation) {
    super(`the process that ran ${what} ended before the operation did`);
  }
}
