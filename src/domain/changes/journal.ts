/** The journal's rows: what is written of an operation, and how a row that an older program wrote is read. */
import { z } from "zod";
import { type State, withFacets } from "../model/state.ts";
import { type Change, definitionOf, isKnown } from "./catalogue.ts";
import type { Operation, Step } from "./operation.ts";

/** Raised whenever a row changes its shape; `upcasters` then gets the way from the shape before. */
export const JOURNAL_SCHEMA = 2;

/** The parts of a row that hold the domain's own values, as JSON gives them back. */
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

/** From the shape of a schema to that of the next one. */
const upcasters: Readonly<Record<number, (row: JournalRow) => JournalRow>> = {
  /** A step held whole states, and the operation none of its own. */
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

/** The state that an operation keeps of what it began with: who else uses its disks and how much space there was is true
 * for that moment alone. */
export const stateToKeep = ({ target, vm, record, disks, isos }: State): State => ({
  target,
  ...(vm && { vm }),
  ...(record && { record }),
  disks,
  isos,
});

/** The steps of a row and the state that the operation began with. A step of a kind that is no more, or whose input is no
 * longer one, is shown as it stands and says why it cannot be read.
 * @throws ZodError for a row that no program has written */
export function readJournalRow(row: JournalRow): Pick<Operation, "steps" | "before"> {
  let current = row;
  while (current.schema < JOURNAL_SCHEMA) {
    const upcast = upcasters[current.schema];
    if (!upcast) throw new TypeError(`There is no way from journal schema ${current.schema}`);
    current = upcast(current);
  }
  const steps = z.array(StepRow).parse(current.steps).map(readStep);
  return { steps, ...(current.before != null && { before: StateRow.parse(current.before) }) };
}

const readStep = (step: StepRow): Step => ({ ...step, ...readChange(step.change) });

function readChange(raw: StepRow["change"]): Pick<Step, "change" | "unreadable"> {
  // What is shown of it is its kind and the summary that was written with it; nothing is ever made of it.
  const change = raw as unknown as Change;
  if (!isKnown(raw)) return { change, unreadable: `there is no change "${raw.kind}" in this version` };
  const parsed = definitionOf(change).input.safeParse(raw);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    return { change, unreadable: `"${raw.kind}" reads otherwise in this version (${issue?.path.join(".")})` };
  }
  return { change: { ...parsed.data, kind: raw.kind } as Change };
}

/** What is written of an operation's steps and of the state that it began with. */
export const journalRowOf = ({ steps, before }: Pick<Operation, "steps" | "before">) => ({
  schema: JOURNAL_SCHEMA,
  steps,
  before: before ?? null,
});
