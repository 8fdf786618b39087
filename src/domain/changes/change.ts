/** What a change is: its input, its goal, how to observe that it was made, and all else that the engine needs of it.
 * The engine knows no change by its name. */
import type { z } from "zod";
import type { EventType } from "../model/event.ts";
import type { Gate } from "../model/finding.ts";
import type { Facets, State } from "../model/state.ts";
import type { VmRecord } from "../model/vm-record.ts";

/** A change as data, of any kind; `catalogue.ts` has the exact union. */
export type AnyChange = Readonly<{ kind: string } & Record<string, unknown>>;

/** `kept`: the change stays (growth of a disk, a stopped guest). `restore`: the definition that the operation kept is
 * put back. `pivot`: from here the operation only goes forward. */
export type Undo = readonly AnyChange[] | "kept" | "restore" | "pivot";

/** A change that an operation made. Its states have only the facets that the change observes. */
export type Made<Input> = Readonly<{ change: Input; before: State; goal: State }>;

/** How a later operation undoes a change. */
export type UndoLater<Input> = Readonly<{
  /** The equivalent change for the VM's present run; absent: the change itself. */
  inRun?(made: Made<Input>, now: State): Made<Input>;
  /** The changes that replace `back`, one of the changes that `undo` returns; absent: `back` alone. */
  instead?(back: AnyChange, made: Made<Input>): readonly AnyChange[];
  /** Paths of the ISOs that the undo puts into drives again. */
  isos?(made: Made<Input>): readonly string[];
}>;

type Definition<Input> = Readonly<{
  input: z.ZodType<Input>;
  /** What it writes. Another program's concurrent edit affects only a change that writes the definition. A change of
   * the `run` alone ends with the run. */
  writes: "definition" | "power" | "storage" | "run" | "record";
  /** An operation that ends a run and then begins one is a restart. Recovery finishes a restart and does not roll it
   * back. */
  run: "begins" | "ends" | "keeps";
  /** The facets of a state that its functions read. A step keeps only these of `before` and `goal`. */
  observes(input: Input): Facets;
  /** Whether the resulting definition counts as the wanted one, whichever program wrote it. */
  takesDefinition: boolean;
  /** Whether it removes the VM. A missing VM then means that this change is half done. */
  removesVm: boolean;
  /** The differences that it causes beside the definition and the run: the name, the media of these drives. */
  explains(input: Input): Readonly<{ name?: true; drives?: readonly string[] }>;
  /** `impossible`: every way back would lose something. */
  undoLater: "impossible" | UndoLater<NoInfer<Input>>;
  /** The change that does the same to the definition of a VM that is off. `never`: it does nothing to the definition,
   * or must not be made twice. */
  again: "never" | ((input: Input) => Input);
  /** Findings about the goal that block this gate refuse the change. */
  gate?: Gate | ((input: Input) => Gate | undefined);
  /** The wanted state, without the record. Throws a DomainError if the change makes no sense here. */
  goal(state: State, input: Input): State;
  /** Whether the goal is reached. Compares only what the change is about: the guest may have changed otherwise
   * meanwhile. */
  reached(now: State, goal: State, input: Input, before: State): boolean;
  /** Whether the record has the request too. A goal that is reached but was never requested still has to be recorded.
   * Absent: the record keeps no such request. */
  recorded?(record: VmRecord | undefined, input: Input): boolean;
  /** For a change that sets several values: whether each of them is its old or its requested value, so that this change
   * explains every difference. Absent: the change sets one value and cannot be half made. */
  isHalf?(now: State, goal: State, input: Input, before: State): boolean;
  /** The narrowest changes that bring `before` back. */
  undo(before: State, input: Input): Undo;
  /** The record afterwards; `null` removes it. Absent: the record stays as it is. */
  record?(record: VmRecord | undefined, now: State, input: Input): VmRecord | null;
  /** Files that the change makes. */
  artifacts?(input: Input): readonly string[];
  /** What is lost for good, as texts for the person who confirms it. */
  loses?(state: State, input: Input): readonly string[];
  events?(
    before: State,
    after: State,
    input: Input,
  ): readonly Readonly<{ type: EventType; data: Readonly<Record<string, unknown>> }>[];
  /** What it does, for a plan that a person reads: "set the boot order to hd". */
  summary(input: Input): string;
  /** It may stop half-way when the caller gives up: waiting for a guest, writing a file. Default: it may not. */
  cancellable?: true;
  /** Time in milliseconds after which applying it counts as hung. Default: 60,000. */
  limitMs?(input: Input): number;
}>;

/** `backend`: a handler of the backend makes it. `store`: only the record changes, and the settlement writes it.
 * `kept_definition`: the backend imports the definition that an operation kept, which every backend can do; `keptBy`
 * gives that operation's id. */
type AppliedBy<Input> = Readonly<
  { appliedBy: "backend" | "store" } | { appliedBy: "kept_definition"; keptBy(input: Input): string }
>;

export type ChangeDefinition<Input> = Definition<Input> & AppliedBy<Input>;

export function defineChange<Input>(definition: ChangeDefinition<Input>): ChangeDefinition<Input> {
  return definition;
}

/** The VM of a state that must have one. @throws TypeError without one */
export function vmOf(state: State) {
  if (!state.vm) throw new TypeError("This change needs a VM and was planned without one");
  return state.vm;
}
