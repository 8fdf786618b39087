/** The journal's rows: the stored form of an operation, and how rows of older programs are read. */
import { z } from "zod";
import { type State, withFacets } from "../model/state.ts";
import { type Change, definitionOf, isKnown } from "./catalogue.ts";
import type { Operation, Step } from "./operation.ts";

/** Raised whenever a row changes its shape; `upcasters` then needs an entry for the previous shape. */
export const JOURNAL_SCHEMA = 2;

/** The parts of a row that hold the domain's own values, as parsed from JSON. */
export type JournalRow = Readonly<{ schema: number; steps: unknown; before?: unknown }>;

const StateRow = z.custom<State>(
  (value) => typeof value === "object" && value !== null && "target" in value && "disks" in value && "isos" in value,
  "expected a state with its target, disks and isos",
);

const StepRow = z.object({
  change: z.looseObject({ kind: z.string() }),
  summary: z.string(),
  before: StateRow,
  goal: StateRow,
  artifacts: z.array(z.string()),
  status: z.enum(["planned", "applying", "done", "undone", "kept"]),
  wrote: z.string().exactOptional(),
  maybeInFlightUntil: z.string().exactOptional(),
});
type StepRow = z.output<typeof StepRow>;

/** Converts a row from one schema to the next. */
const upcasters: Readonly<Record<number, (row: JournalRow) => JournalRow>> = {
  /** In schema 1 a step held whole states, and the operation held none. */
  1: ({ steps }) => {
    const old = z
      .array(z.looseObject({ change: z.looseObject({ kind: z.string() }), before: StateRow, goal: StateRow }))
      .parse(steps);
    return {
      schema: 2,
      ...(old[0] && { before: stateToKeep(old[0].before) }),
      steps: old.map(({ unanswered, ...step }) => {
        const { change, unreadable } = readChange(step.change);
        const facets = unreadable === undefined ? definitionOf(change).observes(change) : { vm: "all" as const };
        return {
          ...step,
          summary: unreadable === undefined ? definitionOf(change).summary(change) : step.change.kind,
          before: withFacets(step.before, facets),
          goal: withFacets(step.goal, facets),
          ...(unanswered !== undefined && { maybeInFlightUntil: unanswered }),
        };
      }),
    };
  },
};

/** The initial state that an operation keeps. It leaves out the disks' other users and the free space, which hold only
 * for that moment. */
export const stateToKeep = ({ target, vm, record, disks, isos }: State): State => ({
  target,
  ...(vm && { vm }),
  ...(record && { record }),
  disks,
  isos,
});

/** The steps and the initial state of a row. A step of an unknown kind, or with an input that is no longer valid, is
 * returned unchanged, with the reason in `unreadable`.
 * @throws ZodError for a row that no program has written */
export function readJournalRow(row: JournalRow): Pick<Operation, "steps" | "before"> {
  let current = row;
  while (current.schema < JOURNAL_SCHEMA) {
    const upcast = upcasters[current.schema];
    if (!upcast) throw new TypeError(`Cannot read journal schema ${current.schema}: there is no conversion from it`);
    current = upcast(current);
  }
  const steps = z.array(StepRow).parse(current.steps).map(readStep);
  return { steps, ...(current.before != null && { before: StateRow.parse(current.before) }) };
}

const readStep = (step: StepRow): Step => ({ ...step, ...readChange(step.change) });

function readChange(raw: StepRow["change"]): Pick<Step, "change" | "unreadable"> {
  // An unreadable step is only shown, with its kind and stored summary; it is never applied.
  const change = raw as unknown as Change;
  if (!isKnown(raw)) return { change, unreadable: `this version has no change "${raw.kind}"` };
  const parsed = definitionOf(change).input.safeParse(raw);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    return { change, unreadable: `this version cannot read change "${raw.kind}" (${issue?.path.join(".")})` };
  }
  return { change: { ...parsed.data, kind: raw.kind } as Change };
}

/** The stored form of an operation's steps and initial state. */
export const journalRowOf = ({ steps, before }: Pick<Operation, "steps" | "before">) => ({
  schema: JOURNAL_SCHEMA,
  steps,
  before: before ?? null,
});
