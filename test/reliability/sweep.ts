/** The sweep: an operation is run again and again, each time with another fault at another call on its ports, and after
 * each the next process looks. What is not as it must be is handed back as text. */

import { recoverAll } from "../../src/domain/engine/recover.ts";
import { DomainError } from "../../src/domain/error.ts";
import type { Target } from "../../src/domain/model/vm.ts";
import type { Ports } from "../../src/domain/ports/operation-ports.ts";
import { applying, type Handler, intercept } from "../domain/engine/faults.ts";
import { target } from "../support/world.ts";
import type { SweptCase } from "./sweep-cases.ts";
import { type Baseline, violationsOf } from "./sweep-check.ts";
import { startClock } from "./sweep-clock.ts";
import { answerOf, type Fault, faulty, isWrite, type Mode, modes } from "./sweep-fault.ts";
import {
  historyOf,
  type Observation,
  observationOf,
  openProcess,
  prepareFixture,
  type Template,
} from "./sweep-world.ts";

/** The parts of the program that the sweep checks; a flaw can be planted in either. */
export type Flow = Readonly<{
  /** Makes the ports of the process that runs the operation. */
  ports: (ports: Ports) => Ports;
  /** Does what the next process does first. */
  recover: (ports: Ports, at: Target) => Promise<unknown>;
}>;

export const program: Flow = {
  ports: (ports) => ports,
  recover: (ports) => recoverAll(ports, new AbortController().signal, () => {}),
};

/** A time longer than any call may be late, in milliseconds. */
const LATE_ENOUGH_MS = 3600_000;

export type Swept = Readonly<{
  runs: number;
  violations: readonly string[];
  /** Calls that the operation waits for without a limit of its own. */
  unlimited: ReadonlySet<string>;
}>;

/** Options of a sweep; with `fails`, the last change is refused besides. */
export type SweepOptions = Readonly<{
  flow?: Flow;
  fails?: boolean;
  chosen?: (index: number) => boolean;
  only?: readonly Mode[];
}>;

export async function sweep(swept: SweptCase, options: SweepOptions = {}): Promise<Swept> {
  const { flow = program, fails = false, chosen = () => true, only = modes } = options;
  const at = swept.at ?? target;
  const template = await prepareFixture(async (fixture, { ports }) => {
    await swept.prepare(fixture, ports);
    return at;
  });
  const run = (fault: Fault, baseline?: Baseline, refused = fails) =>
    runOnce(template, swept, fault, flow, refused ? swept.last : undefined, baseline);
  const none: Fault = { nth: 0, mode: "refuses" };
  const plain = await runOnce(template, swept, none, program, undefined);
  const { before, now: goal, events, stages } = plain;
  const baseline: Baseline = { before, goal, events, stages };
  const { calls } = await run(none);
  const violations: string[] = [];
  const unlimited = new Set<string>();
  let index = 0;
  let runs = 0;
  for (let nth = 1; nth <= calls.length; nth++) {
    for (const mode of only) {
      if (!chosen(index++)) continue;
      runs++;
      const result = await run({ nth, mode }, baseline);
      const begun = calls.slice(0, nth - 1).includes("begin");
      const place = `${calls[nth - 1]} (${nth})`;
      if (mode.startsWith("never") && !result.answered)
        unlimited.add(`${begun ? "begun" : "before"}: ${calls[nth - 1]}`);
      violations.push(...result.violations.map((text) => `${place} ${mode}: ${text}`));
    }
  }
  template.remove();
  return { runs, violations, unlimited };
}

async function runOnce(
  template: Template,
  { act, left = false }: SweptCase,
  fault: Fault,
  flow: Flow,
  refused: SweptCase["last"],
  baseline?: Baseline,
) {
  const { at } = template;
  const fixture = await template.copy();
  const clock = startClock();
  const process = await openProcess(fixture, 2);
  try {
    const before = await observationOf(fixture, process.store, at);
    const earlier = new Set(
      (await process.store.operations({ target: at, limit: 100 })).flatMap(({ id, status }) =>
        status === "begun" ? [] : [id],
      ),
    );
    const stages: Observation[] = [];
    const seeStages: Handler = async (call, make) => {
      const result = await make();
      if (isWrite(call)) stages.push(await observationOf(fixture, process.store, at));
      return result;
    };
    const real = refused ? refusingLast(process.ports, refused) : process.ports;
    const planted = faulty(baseline ? real : intercept(real, seeStages), fault);
    const answered = await answerOf(act(flow.ports(planted.ports)), planted, clock);
    if (baseline === undefined && answered && "error" in answered && !refused) throw answered.error;
    const then = await observationOf(fixture, process.store, at);
    if (!answered) await process.end();
    if (answered && fault.mode === "is not answered, done after the next look") {
      const looking = await openProcess(fixture, 3);
      // The first look finds nothing yet. What the operation is settled as, or left as, is seen at the end.
      for (const happen of [planted.happenLate, async () => {}]) {
        await flow.recover(looking.ports, at).catch(() => undefined);
        await happen();
      }
      await looking.end();
    } else if (answered) await planted.happenLate();
    const next = await openProcess(fixture, 4, fault.mode.startsWith("is not answered") ? LATE_ENOUGH_MS : 0);
    const failed = await flow.recover(next.ports, at).then(
      () => [],
      (error: unknown) => [`the next look fails: ${error}`],
    );
    const now = await observationOf(fixture, next.store, at);
    const open = await next.store.open(at);
    const { operations, events } = await historyOf(next.store, at, earlier);
    await next.end();
    const known =
      !refused && ["refuses", "works and reports an error"].includes(fault.mode) && isApply(planted.calls, fault);
    const after = { answered, then, now, open, operations, events, known, left };
    const violations = baseline ? [...failed, ...violationsOf(baseline, after)] : [];
    return { before, stages, now, events, answered, calls: planted.calls, violations };
  } finally {
    clock.stop();
    await process.end();
    template.removeCopy(fixture);
  }
}

const isApply = (calls: readonly string[], { nth }: Fault) => calls[nth - 1]?.startsWith("apply ") ?? false;
const refusingLast = (ports: Ports, isLast: NonNullable<SweptCase["last"]>): Ports =>
  applying(ports, async (real, vm, change, context) => {
    const reason = "the last change is refused";
    if (isLast(change)) throw new DomainError("BACKEND_FAILED", { connection: "local", change: change.kind, reason });
    await real(vm, change, context);
  });
