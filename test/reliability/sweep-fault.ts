/** One fault at one call of an operation, and the answer that its caller gets. */
import { DomainError } from "../../src/domain/error.ts";
import type { Ports } from "../../src/domain/ports/operation-ports.ts";
import { intercept } from "../domain/engine/faults.ts";
import type { Clock } from "./sweep-clock.ts";

export const modes = [
  "refuses",
  "works and reports an error",
  "never returns, not done",
  "never returns, done",
  "never returns, done late",
  "is not answered, done after the next look",
  "refuses from then on",
  "works and refuses from then on",
  "is the last before the process ends",
  "is not reached before the process ends",
] as const;
export type Mode = (typeof modes)[number];
/** The fault comes at the nth call on the ports, or at the nth of this name. */
export type Fault = Readonly<{ call?: string; nth: number; mode: Mode }>;

/** The caller's answer or error; `undefined` where a call never returned or the process ended. */
export type Answered = Readonly<{ answer: unknown } | { error: unknown }> | undefined;

type Port = "store" | "backend";

/** Returns whether the call writes to the hypervisor. */
export const isWrite = (call: string) => /^(apply |importDefinition$)/.test(call);

const refusalOf = (call: string, port: Port) =>
  port === "store"
    ? new DomainError("STORE_UNAVAILABLE", { path: "/data", reason: `disk I/O error at ${call}` })
    : new DomainError("BACKEND_FAILED", { connection: "local", change: call, reason: "the planted error" });

const unanswered = () =>
  new DomainError("BACKEND_UNAVAILABLE", { connection: "local", reason: "the planted silence" }, { unanswered: true });

class Ended extends Error {}

/** Returns the ports with this fault in them, and the calls up to it. */
export function faulty(ports: Ports, { call: named, nth, mode }: Fault) {
  const calls: string[] = [];
  const portOf = (call: string): Port => (call === "release" || call in ports.store ? "store" : "backend");
  let away: Port | undefined;
  let ended = false;
  let stuck = false;
  let underWay = 0;
  let late: (() => Promise<unknown>) | undefined;
  const never = () => {
    stuck = true;
    return new Promise<never>(() => {});
  };
  const wrapped = intercept(ports, async (call, make) => {
    if (ended) throw new Ended();
    if (away === portOf(call) && call !== "release") throw refusalOf(call, portOf(call));
    const real = async () => {
      underWay++;
      try {
        return await make();
      } finally {
        underWay--;
      }
    };
    calls.push(call);
    const place = named === undefined ? calls.length : calls.filter((name) => name === named).length;
    if (place !== nth || (named !== undefined && call !== named)) return real();
    // A claim that was given leads to no error, and giving it back fails by none: the store's tests see to that.
    const throws = (error: Error) => {
      if (call !== "release") throw error;
    };
    switch (mode) {
      case "refuses":
        throws(refusalOf(call, portOf(call)));
        return real();
      case "works and reports an error":
        if (call === "claim") return real();
        await real();
        throws(refusalOf(call, portOf(call)));
        return undefined;
      case "never returns, not done":
        return never();
      case "never returns, done":
        await real();
        return never();
      case "never returns, done late":
        late = real;
        return never();
      case "is not answered, done after the next look":
        // What only reads changes nothing when it is done late.
        if (!isWrite(call)) {
          throws(refusalOf(call, portOf(call)));
          return real();
        }
        late = real;
        stuck = true;
        throw unanswered();
      case "refuses from then on":
        away = portOf(call);
        throws(refusalOf(call, portOf(call)));
        return real();
      case "works and refuses from then on":
        away = portOf(call);
        return real();
      case "is the last before the process ends":
        await real();
        ended = true;
        throw new Ended();
      case "is not reached before the process ends":
        ended = true;
        throw new Ended();
    }
  });
  return {
    ports: wrapped,
    calls,
    /** Returns whether nothing is under way but a call that never returns. */
    isStuck: () => stuck && underWay === 0,
    hasEnded: () => ended,
    happenLate: async () => {
      // What nobody waits for any more tells nobody that it fails.
      await late?.().catch(() => undefined);
    },
  };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

/** Waits for the answer, and lets time pass where nothing goes on. Returns undefined when no answer ever comes. */
export async function answerOf(
  work: Promise<unknown>,
  { isStuck, hasEnded }: Pick<ReturnType<typeof faulty>, "isStuck" | "hasEnded">,
  clock: Clock,
): Promise<Answered> {
  let answered: { answer: unknown } | { error: unknown } | undefined;
  work.then(
    (answer) => {
      answered = { answer };
    },
    (error: unknown) => {
      answered = { error };
    },
  );
  const until = performance.now() + 30_000;
  // An operation may look ten times for what was not answered, with a pause before each look.
  for (let idle = 0; idle < 100; idle = isStuck() ? idle + 1 : 0) {
    if (hasEnded()) {
      await work.catch(() => undefined);
      return undefined;
    }
    if (answered) return answered;
    if (performance.now() > until) throw new Error("No answer, and nothing that never returned");
    if (idle % 5 === 4) clock.pass(10 * 60_000);
    await turn();
  }
  return undefined;
}
