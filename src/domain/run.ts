/** The second half of the flow: apply the steps one by one, look after each, undo what was done when one fails. */
import { definitionOf } from "./changes.ts";
import { DomainError } from "./error.ts";
import { type Look, observe } from "./observe.ts";
import type { Ports } from "./operate.ts";
import type { Operation, State, Step } from "./operation.ts";
import { settleApplied, settleFailed, settleUnknown } from "./settle.ts";
import { undoSteps } from "./undo.ts";

const APPLY_LIMIT_MS = 60_000;
const LOOK_LIMIT_MS = 30_000;

export type Running = Readonly<{ signal: AbortSignal; progress: (message: string) => void }>;

/** Carries a begun operation through and settles it. Returns the state that was seen at the end.
 * @throws what made it fail, with `outcome` saying how the operation ended */
export async function run(ports: Ports, operation: Operation, before: State, request: Running): Promise<State> {
  const steps = [...operation.steps];
  const look = lookFor(operation);
  let seen = before;
  for (const [index, step] of steps.entries()) {
    if (definitionOf(step.change).seat === "store") {
      steps[index] = { ...step, status: "done" };
      continue;
    }
    if (step.status !== "applying") {
      steps[index] = { ...step, status: "applying" };
      await ports.store.advance(operation.id, steps, "forward");
    }
    request.progress(definitionOf(step.change).summary(step.change));
    const failure = await attempt(ports, step, seen, request);
    const looked = await lookAgain(ports, operation, look);
    if (looked instanceof Error) return settleUnknown(ports, operation, steps, failure ?? looked);
    if (definitionOf(step.change).reached(looked, step.goal, step.change, step.before)) {
      steps[index] = { ...step, status: "done", ...(looked.vm && { wrote: looked.vm.fingerprint }) };
      seen = looked;
      continue;
    }
    const error = failure ?? new DomainError("GOAL_NOT_REACHED", { vm: nameIn(before), change: step.change.kind });
    const undone = await undoSteps(ports, operation, steps, looked);
    return settleFailed(ports, operation, undone, error);
  }
  return settleApplied(ports, operation, steps, before, seen);
}

/** Applies one step within its time limit. An error does not say that nothing happened, so it is only handed back. */
async function attempt(ports: Ports, step: Step, seen: State, request: Running): Promise<Error | undefined> {
  const limitMs = definitionOf(step.change).limitMs?.(step.change) ?? APPLY_LIMIT_MS;
  const limit = AbortSignal.timeout(limitMs);
  const signal = AbortSignal.any([request.signal, limit]);
  const vm = nameIn(seen);
  if (request.signal.aborted) return new DomainError("CANCELLED", { vm });
  const aborted = new Promise<never>((_resolve, reject) => {
    signal.addEventListener(
      "abort",
      () =>
        reject(
          request.signal.aborted
            ? new DomainError("CANCELLED", { vm })
            : new DomainError("BACKEND_FAILED", {
                connection: ports.backend.connection,
                change: step.change.kind,
                reason: `no answer within ${limitMs / 1000} s`,
              }),
        ),
      { once: true },
    );
  });
  const context = { signal, progress: request.progress, ...(seen.vm && { expect: seen.vm.fingerprint }) };
  const applied = ports.backend.apply(seen.vm, step.change, context);
  try {
    await Promise.race([applied, aborted]);
    return undefined;
  } catch (error) {
    applied.catch(() => undefined);
    return error instanceof Error ? error : new Error(String(error));
  }
}

/** Looks at the target again; an error when nobody can look. */
export async function lookAgain(ports: Ports, operation: Operation, look: Look): Promise<State | Error> {
  try {
    return await observe(ports, operation.target, { ...look, signal: AbortSignal.timeout(LOOK_LIMIT_MS) });
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

/** What an operation's steps need to see: the files that they speak of. Images are left out where no step needs them. */
export function lookFor({ steps }: Operation): Look {
  const diskPaths = steps.flatMap(({ before, goal }) => [...Object.keys(before.disks), ...Object.keys(goal.disks)]);
  const isoPaths = steps.flatMap(({ before, goal }) => [...Object.keys(before.isos), ...Object.keys(goal.isos)]);
  return { diskPaths: [...new Set(diskPaths)], isoPaths: [...new Set(isoPaths)] };
}

const nameIn = (state: State) => state.vm?.name ?? state.record?.name ?? state.target.uuid;
