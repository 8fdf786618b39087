/** Binds the methods of a plugin's port by a table of calls: adds time limits, shares reads, and turns a plugin's errors
 * into refusals. */
import { DeadlineExceeded, TimeIsUp, withDeadline } from "../domain/deadline.ts";
import type { IndexFeed } from "../domain/engine/image-index.ts";
import { DomainError } from "../domain/error.ts";
import type { Hint } from "../domain/ports/backend-groups.ts";
import type { Call, Calls, TimeLimit } from "./backend-calls.ts";
import { singleFlight } from "./single-flight.ts";

/** The longest time of one read, in milliseconds; a caller's own deadline may be shorter. `short`: one VM or image. `long`:
 * a whole image, or the list of a host with thousands of VMs. The shipped backends have shorter limits, since their
 * errors say more. */
export const readLimits = { short: 90_000, long: 330_000 } as const;
export type ReadLimits = Readonly<Record<TimeLimit, number>>;

export type Binding = Readonly<{ connection: string; limits: ReadLimits; index: IndexFeed }>;

type Method = (...given: unknown[]) => unknown;
/** Calls the plugin's method by name. */
type Invoke = (name: string, given: readonly unknown[]) => unknown;

/** Binds the methods in the table. An error that is no DomainError becomes BACKEND_FAILED, with the original as its
 * cause. */
export function bindCalls<Port>(binding: Binding, calls: Calls<Port>, invoke: Invoke): Pick<Port, keyof Calls<Port>> {
  const rows = Object.entries<Call>(calls as Readonly<Record<string, Call>>);
  const bound = rows.map(([name, call]) => [name, bind(binding, call, (given) => invoke(name, given))]);
  return Object.fromEntries(bound) as Pick<Port, keyof Calls<Port>>;
}

function bind(binding: Binding, call: Call, method: (given: readonly unknown[]) => unknown): Method {
  const { connection, limits, index } = binding;
  if (call.call === "local") return (...given) => method(given);
  if (call.call === "write")
    return (...given) =>
      wrapPluginErrors(connection, call.as, () => method(given)).finally(() => touch(index, call.touches?.(...given)));
  if (call.call === "watch")
    return (...given) => {
      const [report, signal] = given as [report: (hint: Hint) => void, signal: AbortSignal];
      const { hinted, ended } = index.watching();
      const reportAndIndex = (hint: Hint) => {
        hinted(hint);
        report(hint);
      };
      return wrapPluginErrors(connection, call.as, () => method([reportAndIndex, signal])).finally(ended);
    };
  const { signalAt, updateIndex } = call;
  const ask = async (given: readonly unknown[]) => {
    const begun = index.now();
    const answer = await method(given);
    updateIndex?.(index, answer, begun, ...given);
    return answer;
  };
  const reader = createReader(connection, limits);
  if (call.shared) return reader.shared(call.as, call.takes, (ends) => ask([ends])) as Method;
  return (...given) => {
    if (signalAt === undefined) return reader.one(call.as, call.takes, undefined, () => ask(given));
    const signal = given[signalAt] as AbortSignal | undefined;
    return reader.one(call.as, call.takes, signal, (ends) => {
      const ending = [...given];
      ending[signalAt] = ends;
      return ask(ending);
    });
  };
}

/** Marks the VM as possibly changed, whether or not the call succeeded. */
export function touch(index: IndexFeed, uuid: string | undefined): void {
  if (uuid !== undefined) index.touched(uuid);
}

/** @throws DomainError BACKEND_FAILED for any error that is no DomainError, with the original as its cause */
export async function wrapPluginErrors<T>(connection: string, what: string, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof DomainError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new DomainError("BACKEND_FAILED", { connection, change: what, reason }, { cause: error });
  }
}

/** Gives reads a time limit, so that a hanging backend blocks neither the VM nor the callers. */
export function createReader(connection: string, limits: ReadLimits) {
  const one = <T>(
    what: string,
    takes: TimeLimit,
    signal: AbortSignal | undefined,
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> =>
    wrapPluginErrors(connection, what, () => {
      let passedSignal: AbortSignal | undefined;
      const asking = (ends: AbortSignal) => {
        passedSignal = ends;
        return work(ends);
      };
      return withDeadline(limits[takes], asking, signal).catch((error: unknown) => {
        // The expired limit is the reason, whatever the plugin then throws.
        throw unavailableIfLate(connection, what, error, passedSignal?.reason);
      });
    });
  return {
    one,
    /** Concurrent callers share one read. Each caller can give up alone. */
    shared<T>(what: string, takes: TimeLimit, work: (signal: AbortSignal) => Promise<T>) {
      const ask = singleFlight((signal) => one(what, takes, signal, work));
      return (signal?: AbortSignal): Promise<T> =>
        ask(signal).catch((error: unknown) => {
          throw unavailableIfLate(connection, what, error, undefined);
        });
    },
  };
}

export function unavailableIfLate(connection: string, what: string, error: unknown, aborted?: unknown): unknown {
  const late = [error, aborted].find((one) => one instanceof DeadlineExceeded || one instanceof TimeIsUp);
  if (!(late instanceof Error)) return error;
  return new DomainError("BACKEND_UNAVAILABLE", { connection, reason: `${what}: ${late.message}` }, { cause: error });
}
