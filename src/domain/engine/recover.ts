/** Settling an operation that its process did not: by looking, never by remembering. */

import { definitionOf } from "../changes/catalogue.ts";
import type { Operation, OperationStatus, Step } from "../changes/operation.ts";
import type { State } from "../model/state.ts";
import type { Ports } from "../ports/operation-ports.ts";
import { applyChange } from "./apply.ts";
import { inFlightUntil, pollUntilSeen, withInFlightUntil } from "./in-flight.ts";
import { observeOptionsFor, reobserve, withKnownFacts } from "./observe.ts";
import { isAsBefore, isUndone, rollBack } from "./rollback.ts";
import { endedRun } from "./run.ts";
import { settleApplied, settleFailed, settleUnknown } from "./settle.ts";
import { APPLY_LIMIT_MS, tryCall } from "./try-call.ts";

/** `until`: when it may be settled at the latest, where a call of it may still be carried out. */
export type Recovered = Readonly<{
  status: OperationStatus;
  error?: Readonly<{ code: string; message: string }>;
  until?: string;
}>;

/** Forwards where the goal is reached, back otherwise, but not before a call that nobody heard the end of can no more be
 * carried out. At most one step can be uncertain: the one being applied, since each step is recorded before it starts.
 * The caller holds the claim on the target. */
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
    // Undone again, or taken for not done, what happens after all would go over whatever is done to the VM by then.
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
    // What the settlement alone would have done has not been, and nobody was told that it had.
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

/** Whether what was on its way for this step is there now. */
const isSeen = ({ direction }: Operation, step: Step, now: State): boolean =>
  direction === "back" ? isUndone(step, now) : isReached(step, now);

/** A process that was killed closed its connection, and a daemon that had read its last call carries that out all the same,
 * a moment later where it is busy. Nobody wrote down when the call was made, nor waits for its answer; so the look is
 * given the few seconds that an operation gives itself for an answer that was lost. The long time that such a call is
 * given would be wrong here: hardly any process dies with a call on its way, and every VM would be closed for it. */
async function lookAtLeft(ports: Ports, operation: Operation): Promise<State | Error> {
  const looked = await reobserve(ports, operation, observeOptionsFor(operation));
  if (operation.status !== "begun" || ports.backend.callOutlivesCallerMs === undefined) return looked;
  return pollUntilSeen(ports, operation, looked, (now) =>
    operation.steps.every((step) => step.status !== "applying" || isSeen(operation, step, now)),
  );
}

/** A restart whose VM is off and waits to be started again: left there, nobody would know that it should run. What is set
 * on the way to that start is set as well, unless another program has set it meanwhile. */
const isRestart = (steps: readonly Step[], rest: readonly Step[], seen: State): boolean =>
  endedRun(steps) &&
  rest.some(({ change }) => definitionOf(change).run === "begins") &&
  rest.every((step) => {
    const { run, writes } = definitionOf(step.change);
    return run === "begins" || writes === "run" || isAsBefore(step, seen);
  });

type Finished = Readonly<{ steps: readonly Step[]; seen: State; failure?: Error; unknown?: Error }>;

/** What is left to do is done, and looked at: files to remove, which may be gone already, or a start. */
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
      const error =
        tried.failure ?? new Error(`"${definitionOf(change).summary(change)}" was made, and nothing shows it`);
      if (tried.hung) return { steps: ended, seen, unknown: error };
      failure ??= error;
      ended[index] = { ...step, status: "planned" };
    }
  }
  return { steps: ended, seen, ...(failure && { failure }) };
}

export type Settled = Readonly<{ operation: Operation; status: OperationStatus }>;

/** Settles everything that dead processes left open on this backend's VMs, one VM after the other; what another process
 * works on is left alone. Tells of each as it is settled.
 * @throws the first fault, once every VM has been looked at */
export async function recoverAll(ports: Ports, signal: AbortSignal, tell: (settled: Settled) => void): Promise<void> {
  const { backend, store } = ports;
  const open = (await store.open()).filter(({ target }) => target.connection === backend.connection);
  const faults: unknown[] = [];
  for (const uuid of new Set(open.map(({ target }) => target.uuid))) {
    signal.throwIfAborted();
    const target = { connection: backend.connection, uuid };
    const claim = await store
      .claim(target, { actor: "bootwright", what: "recovery" }, 0, signal)
      .catch(() => undefined);
    try {
      for (const operation of claim?.left ?? []) {
        const { status } = await recover(ports, operation, signal);
        tell({ operation, status });
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
    super(`the process that ran ${what} ended before it was done`);
  }
}
