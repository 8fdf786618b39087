/** What must be true after any failure: nothing is left open, the VM, its files, its media and the record agree, the
 * events are those of the outcome, and what the caller was told is so. */

import type { Operation } from "../../src/domain/changes/operation.ts";
import { DomainError } from "../../src/domain/error.ts";
import type { DomainEvent } from "../../src/domain/model/event.ts";
import type { Answered } from "./sweep-fault.ts";
import type { Observation } from "./sweep-world.ts";

export type Baseline = Readonly<{
  before: Observation;
  goal: Observation;
  /** The state after each of its steps. */
  stages: readonly Observation[];
  events: readonly DomainEvent[];
}>;

export type Aftermath = Readonly<{
  answered: Answered;
  /** The state when the caller had its answer. */
  then: Observation;
  /** The state once the next process has looked. */
  now: Observation;
  open: readonly Operation[];
  operations: readonly Operation[];
  events: readonly DomainEvent[];
  /** Whether the failed call could be known for what it was: it returned, and everything else worked. */
  known: boolean;
  /** Whether an ended process left the operation, so that the call did not ask for it. */
  left: boolean;
}>;

/** Returns the places at which two values differ. */
export function differences(a: unknown, b: unknown, at = ""): string[] {
  if (Object.is(a, b)) return [];
  const isObject = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null;
  if (!isObject(a) || !isObject(b)) return [`${at}: ${JSON.stringify(a)} is not ${JSON.stringify(b)}`];
  return [...new Set([...Object.keys(a), ...Object.keys(b)])].flatMap((key) =>
    differences(a[key], b[key], at ? `${at}.${key}` : key),
  );
}

export function violationsOf(baseline: Baseline, after: Aftermath): string[] {
  const [operation, ...more] = after.operations;
  return [
    ...after.open.map(({ status }) => `an operation is left ${status}`),
    ...more.map(({ what }) => `a second operation: ${what}`),
    ...stateViolations(baseline, operation, after),
    ...eventViolations(baseline, operation, after.events),
    ...answerViolations(baseline, operation, after),
  ];
}

function stateViolations(
  { before, goal, stages }: Baseline,
  operation: Operation | undefined,
  { now }: Aftermath,
): string[] {
  const should = (what: string, observation: Observation) =>
    differences(now, observation).map((place) => `${what}, and ${place}`);
  switch (operation?.status) {
    case undefined:
      return should("there is no operation", before);
    case "applied":
      return should("the operation is applied", goal);
    case "rolled_back":
      return should("the operation is rolled back", before);
    default:
      return mixtureViolations([before, ...stages, goal], now, operation!);
  }
}

/** Where something stayed, each part is as it was at some stage of the operation, the record and the tag in the definition say the
 * same, and every file belongs to a VM or is named as left. */
function mixtureViolations(stages: readonly Observation[], now: Observation, operation: Operation): string[] {
  const parts = (observation: Observation): Record<string, unknown> => ({
    ...Object.fromEntries(Object.entries(observation.vm ?? {}).map(([key, value]) => [`vm.${key}`, value])),
    // A run that is over is the same as none.
    ...Object.fromEntries(
      Object.entries(observation.record ?? {})
        .filter(([key]) => key !== "currentRun" || observation.vm?.power === "running")
        .map(([key, value]) => [`record.${key}`, value]),
    ),
    ...Object.fromEntries(Object.entries(observation.files).map(([path, size]) => [`file ${path}`, size])),
  });
  const was = stages.map(parts);
  const is = parts(now);
  const mixed = [...new Set([...was, is].flatMap(Object.keys))]
    .filter((key) => !key.startsWith("record.seen"))
    .filter((key) => was.every((stage) => differences(is[key], stage[key]).length > 0))
    .map((key) => `${operation.status}, and ${key} is as at no stage of it`);
  const tag = now.vm?.claim as { status: string } | undefined;
  const carriedOut = operation.steps.flatMap(({ change, status }) =>
    status === "undone" || status === "planned" ? [] : [JSON.stringify(change)],
  );
  const agree = Boolean(now.record) === Boolean(tag) && now.record?.status === tag?.status;
  const disagree =
    agree || carriedOut.some((text) => text.includes('"claim.write"') || text.includes('"vm.delete"'))
      ? []
      : [`${operation.status}, and the record says ${now.record?.status}, the tag ${tag?.status}`];
  const known = [...(now.record?.ownedFiles ?? []), ...(now.vm?.next.disks.map(({ path }) => path) ?? [])];
  const orphans = Object.keys(now.files)
    .filter((path) => !known.includes(path) && !carriedOut.some((text) => text.includes(path)))
    .map((path) => `${operation.status}, and nobody knows of ${path}`);
  return [...mixed, ...disagree, ...orphans];
}

function eventViolations(
  { events: wanted }: Baseline,
  operation: Operation | undefined,
  events: readonly DomainEvent[],
) {
  const meaning = ({ type, data }: DomainEvent) => `${type} ${JSON.stringify({ ...data, operation: "" })}`;
  const settled = events.filter(({ type }) => type !== "operation.unknown");
  const types = settled.map(({ type }) => type);
  const ids = events.map(({ id }) => id);
  const twice = ids.length === new Set(ids).size ? [] : [`an event has the id of another: ${ids.join(" ")}`];
  const foreign = ids
    .filter((id) => !operation || !id.startsWith(`${operation.id}:`))
    .map((id) => `event ${id} of no operation`);
  const unknowns = events.length - settled.length > 1 ? ["operation.unknown twice"] : [];
  const expect = (is: readonly string[], should: readonly string[]) =>
    JSON.stringify(is) === JSON.stringify(should) ? [] : [`${operation?.status}, with the events ${is.join()}`];
  const of = (): string[] => {
    switch (operation?.status) {
      case undefined:
        return expect(types, []);
      case "applied":
        return expect(settled.map(meaning), wanted.map(meaning));
      case "rolled_back":
        return expect(types, ["operation.rolled_back"]);
      default: {
        const [first, ...kept] = settled;
        const strange = kept.filter((event) => !wanted.some(({ type }) => type === event.type));
        return [
          ...expect([first?.type ?? "none"], ["operation.failed"]),
          ...strange.map(({ type }) => `a strange ${type}`),
        ];
      }
    }
  };
  return [...twice, ...foreign, ...unknowns, ...of()];
}

function answerViolations({ before, goal }: Baseline, operation: Operation | undefined, after: Aftermath): string[] {
  const { answered, then, known } = after;
  if (answered === undefined || after.left) return [];
  const should = (what: string, observation: Observation) =>
    differences(then, observation).map((place) => `answered ${what}, and ${place}`);
  const status = (wanted: string) =>
    operation?.status === wanted ? [] : [`answered ${wanted}, and it is ${operation?.status}`];
  if ("answer" in answered) return [...should("that it is done", goal), ...status("applied")];
  const { error } = answered;
  if (!(error instanceof DomainError)) return [`answered with a defect: ${error}`];
  if (error.code === "OUTCOME_UNKNOWN") {
    const { operation: named } = (error as DomainError<"OUTCOME_UNKNOWN">).details;
    return [
      ...(named === operation?.id ? [] : [`answered that ${named} is unknown, and it is ${operation?.id}`]),
      ...(known ? ["answered that nobody knows, where looking was enough"] : []),
    ];
  }
  switch (error.outcome?.status) {
    case undefined:
      return [...should("that it was refused", before), ...(operation ? status("rolled_back") : [])];
    case "rolled_back":
      return [...should("that it was rolled back", before), ...status("rolled_back")];
    case "failed":
    case "rollback_failed": {
      const kept = error.outcome.kept;
      const done = differences(then, before).length > 0;
      return [
        ...status(error.outcome.status),
        ...(done && kept.length === 0 ? ["answered that nothing stays, and something does"] : []),
        ...(!done && kept.length > 0 ? [`answered that something stays, and nothing does: ${kept}`] : []),
      ];
    }
    default:
      return [`answered with the status ${error.outcome?.status}`];
  }
}
