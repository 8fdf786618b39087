/** Binds the methods of a plugin's port as a table of calls says: with limits of time, sharing, and what a plugin throws
 * made into a refusal. */
import { DeadlineExceeded, TimeIsUp, withDeadline } from "../domain/deadline.ts";
import type { IndexFeed } from "../domain/engine/image-index.ts";
import { DomainError } from "../domain/error.ts";
import type { Hint } from "../domain/ports/backend-groups.ts";
import type { Call, Calls, TimeLimit } from "./backend-calls.ts";
import { singleFlight } from "./single-flight.ts";

/** How long one look may take, in milliseconds, for whoever has no less time: at a VM or an image, and at a whole image or
 * the list of a host with thousands of VMs. Longer than the limits that the shipped backends set themselves, which say more
 * about what was being done. */
export const readLimits = { short: 90_000, long: 330_000 } as const;
export type ReadLimits = Readonly<Record<TimeLimit, number>>;

export type Binding = Readonly<{ connection: string; limits: ReadLimits; index: IndexFeed }>;

type Method = (...given: unknown[]) => unknown;
/** Calls the plugin's method of this name. */
type Invoke = (name: string, given: readonly unknown[]) => unknown;

/** The methods that the table names. What the plugin throws and is no DomainError is wrapped, with the plugin's error as
 * its cause. */
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

/** Something was done to the VM, whatever came of it. */
export function touch(index: IndexFeed, uuid: string | undefined): void {
  if (uuid !== undefined) index.touched(uuid);
}

/** What a plugin throws and is no DomainError is the plugin's failure, with the original as its cause. */
export async function wrapPluginErrors<T>(connection: string, what: string, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof DomainError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new DomainError("BACKEND_FAILED", { connection, change: what, reason }, { cause: error });
  }
}

/** A look that is not answered must not keep the VM that is looked at, and every caller who waits for it. */
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
        // However the plugin ends it once its time is up, that it was up is the reason.
        throw unavailableIfLate(connection, what, error, passedSignal?.reason);
      });
    });
  return {
    one,
    /** A look that all who ask at the same time share; each of them gives up for itself. */
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
