/** Settling an operation that its process did not: by looking, never by remembering. */
import { applyChange } from "./apply.ts";
import { APPLY_LIMIT_MS, attempt } from "./attempt.ts";
import { definitionOf } from "./changes.ts";
import { lookAgain, lookFor, withFactsOf } from "./observe.ts";
import type { Operation, OperationStatus, State, Step } from "./operation.ts";
import type { Ports } from "./port.ts";
import { settleApplied, settleFailed, settleUnknown } from "./settle.ts";
import { undoSteps } from "./undo.ts";

export type Recovered = Readonly<{ status: OperationStatus; error?: Readonly<{ code: string; message: string }> }>;

/** Forwards where the goal is reached, back otherwise. At most one step can be uncertain: the one being applied, since
 * each step is recorded before it starts. The caller holds the claim on the target. */
export async function recover(ports: Ports, operation: Operation, signal?: AbortSignal): Promise<Recovered> {
  signal?.throwIfAborted();
  const looked = await lookAgain(ports, operation, lookFor(operation));
  const before = operation.steps[0]?.before ?? { target: operation.target, disks: {}, isos: {} };
  const seen = looked instanceof Error ? looked : withFactsOf(looked, before);
  try {
    if (seen instanceof Error) return await settleUnknown(ports, operation, operation.steps, seen);
    const steps = operation.steps.map((step): Step => {
      if (step.status !== "applying") return step;
      return definitionOf(step.change).reached(seen, step.goal, step.change, step.before)
        ? { ...step, status: "done" }
        : step;
    });
    const rest = steps.filter(({ status, change }) => status !== "done" && definitionOf(change).seat !== "store");
    const pivoted = steps.some(
      ({ status, change, before: was }) => status === "done" && definitionOf(change).undo(was, change) === "pivot",
    );
    // What the settlement alone would have done has not been, and nobody was told that it had.
    const touched = steps.some(({ status, change }) => status === "done" && definitionOf(change).seat !== "store");
    if (operation.direction === "forward" && touched && (rest.length === 0 || pivoted || isRestart(steps, rest))) {
      const ended = await finish(ports, operation, steps, seen);
      if (ended.unknown) return await settleUnknown(ports, operation, ended.steps, ended.unknown);
      if (ended.failure) {
        const undone = await undoSteps(ports, operation, ended.steps, ended.seen);
        return await settleFailed(ports, operation, before, undone, ended.failure);
      }
      await settleApplied(ports, operation, ended.steps, before, ended.seen);
      return { status: "applied" };
    }
    const undone = await undoSteps(ports, operation, steps, seen);
    return await settleFailed(ports, operation, before, undone, new Interrupted(operation));
  } catch (error) {
    const settled = await ports.store.operation(operation.id);
    if (!settled || settled.status === "begun") throw error;
    return { status: settled.status, ...(settled.error && { error: settled.error }) };
  }
}

/** A restart whose VM is off and only waits to be started again: left there, nobody would know that it should run. */
const isRestart = (steps: readonly Step[], rest: readonly Step[]): boolean =>
  steps.some(({ change, status }) => change.kind === "power.stop" && status === "done") &&
  rest.every(({ change }) => change.kind === "power.start");

type Finished = Readonly<{ steps: readonly Step[]; seen: State; failure?: Error; unknown?: Error }>;

/** What is left to do is done, and looked at: files to remove, which may be gone already, or a start. */
async function finish(ports: Ports, operation: Operation, steps: readonly Step[], now: State): Promise<Finished> {
  const ended = [...steps];
  let seen = now;
  let failure: Error | undefined;
  for (const [index, step] of steps.entries()) {
    const { change } = step;
    if (step.status === "done" || definitionOf(change).seat === "store") {
      ended[index] = { ...step, status: "done" };
      continue;
    }
    const limitMs = definitionOf(change).limitMs?.(change) ?? APPLY_LIMIT_MS;
    const tried = await attempt(ports, change.kind, limitMs, (signal) =>
      applyChange(ports, seen, change, { signal, progress: () => {} }),
    );
    const looked = await lookAgain(ports, operation, lookFor(operation));
    if (looked instanceof Error) return { steps, seen, unknown: looked };
    seen = withFactsOf(looked, seen);
    if (definitionOf(change).reached(looked, step.goal, change, step.before))
      ended[index] = { ...step, status: "done" };
    else {
      const error =
        tried.failure ?? new Error(`"${definitionOf(change).summary(change)}" was made, and nothing shows it`);
      if (tried.hung) return { steps, seen, unknown: error };
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
