/** What a change is: its input, the state it leads to, how to see that it has been done, and all that the engine asks of
 * it. The engine knows no change by its name. */
import type { z } from "zod";
import type { EventType } from "../model/event.ts";
import type { Gate } from "../model/finding.ts";
import type { Facets, State } from "../model/state.ts";
import type { VmRecord } from "../model/vm-record.ts";

/** A change as data, of whatever kind; `catalogue.ts` has the exact union. */
export type AnyChange = Readonly<{ kind: string } & Record<string, unknown>>;

/** `kept`: it stays (growth of a disk, a guest that was stopped). `restore`: the definition that the operation kept is put
 * back. `pivot`: from here the operation only goes forward. */
export type Undo = readonly AnyChange[] | "kept" | "restore" | "pivot";

/** A change that an operation has made: the states that the journal keeps have the facets that the change observes. */
export type Made<Input> = Readonly<{ change: Input; before: State; goal: State }>;

/** How a change is undone by an operation of its own, once the one that made it has ended. */
export type UndoLater<Input> = Readonly<{
  /** What it stands for in the run that the VM has now; without this it is what it was when it was made. */
  inRun?(made: Made<Input>, now: State): Made<Input>;
  /** The changes in place of `back`, which its `undo` gives; without this it is that one alone. */
  instead?(back: AnyChange, made: Made<Input>): readonly AnyChange[];
  /** Paths of the ISOs that undoing it puts into drives again. */
  isos?(made: Made<Input>): readonly string[];
}>;

type Definition<Input> = Readonly<{
  input: z.ZodType<Input>;
  /** What it writes. An edit that another program makes meanwhile concerns only a change that writes the definition. What
   * writes the `run` alone has ended with it. */
  writes: "definition" | "power" | "storage" | "run" | "record";
  /** A run that ends and then begins in one operation is a restart, which is finished and not rolled back. */
  run: "begins" | "ends" | "keeps";
  /** The facets of a state that its functions look at: a step keeps no others of `before` and `goal`. */
  observes(input: Input): Facets;
  /** Whether the definition as it then is counts as the one that is wanted, whoever wrote it. */
  takesDefinition: boolean;
  /** Whether it removes the VM, so that a VM that is gone is this change half done. */
  removesVm: boolean;
  /** What of a VM's look is its doing, beside the definition and the run: the name, the media of these drives. */
  explains(input: Input): Readonly<{ name?: true; drives?: readonly string[] }>;
  /** `impossible`: nothing brings back what was before without losing something. */
  undoLater: "impossible" | UndoLater<NoInfer<Input>>;
  /** The change that does the same to the definition of a VM that is off; `never` where it does nothing to it, or must not
   * be done twice. */
  again: "never" | ((input: Input) => Input);
  /** Findings about the goal that have this gate stand in the way. */
  gate?: Gate | ((input: Input) => Gate | undefined);
  /** The state as it should be afterwards, but for the record. Throws a DomainError if it makes no sense here. */
  goal(state: State, input: Input): State;
  /** Looks only at what the change is about: the guest may have moved on in other ways meanwhile. */
  reached(now: State, goal: State, input: Input, before: State): boolean;
  /** Whether the record says so too, where it keeps what was asked for: what is there already, and was not asked for
   * until now, is still to be recorded. Without this the record has no say in it. */
  recorded?(record: VmRecord | undefined, input: Input): boolean;
  /** Of a change that sets several things: whether each of them is as it was before or as it was asked for, so that what is
   * not as before is this change's doing. Without this it sets one thing, and cannot be half made. */
  isHalf?(now: State, goal: State, input: Input, before: State): boolean;
  /** What brings `before` back, narrowly. */
  undo(before: State, input: Input): Undo;
  /** The record afterwards; `null` removes it. Without this the record stays as it is. */
  record?(record: VmRecord | undefined, now: State, input: Input): VmRecord | null;
  /** Files that the change makes. */
  artifacts?(input: Input): readonly string[];
  /** What is lost for good, as sentences for the person who confirms it. */
  loses?(state: State, input: Input): readonly string[];
  events?(
    before: State,
    after: State,
    input: Input,
  ): readonly Readonly<{ type: EventType; data: Readonly<Record<string, unknown>> }>[];
  /** What it does, for a plan that a person reads: "set the boot order to hd". */
  summary(input: Input): string;
  /** It can be left half-way when the caller gives up: waiting for a guest, writing a file. Default: it cannot. */
  cancellable?: true;
  /** How long applying it may take before it counts as hung, in milliseconds; 60,000 unless said. */
  limitMs?(input: Input): number;
}>;

/** `backend`: a handler of the backend makes it. `store`: nothing but the record changes, and the settlement writes it.
 * `kept_definition`: the backend imports the definition that an operation kept, which every backend can; `keptBy` gives
 * the id of that operation. */
type AppliedBy<Input> = Readonly<
  { appliedBy: "backend" | "store" } | { appliedBy: "kept_definition"; keptBy(input: Input): string }
>;

export type ChangeDefinition<Input> = Definition<Input> & AppliedBy<Input>;

export function defineChange<Input>(definition: ChangeDefinition<Input>): ChangeDefinition<Input> {
  return definition;
}

/** The VM of a state in which there must be one. */
export function vmOf(state: State) {
  if (!state.vm) throw new TypeError("This change needs a VM and was planned without one");
  return state.vm;
}
