/** What a change is: its input, the state it leads to, and how to see that it has been done. */
import type { z } from "zod";
import type { EventType } from "../model/event.ts";
import type { Gate } from "../model/finding.ts";
import type { State } from "../model/state.ts";
import type { VmRecord } from "../model/vm-record.ts";

/** A change as data, of whatever kind; `changes.ts` has the exact union. */
export type AnyChange = Readonly<{ kind: string } & Record<string, unknown>>;

/** `kept`: it stays (growth of a disk, a guest that was stopped). `restore`: the definition that the operation kept is put back.
 * `pivot`: from here the operation only goes forward. */
export type Undo = readonly AnyChange[] | "kept" | "restore" | "pivot";

export type ChangeDefinition<Input> = Readonly<{
  input: z.ZodType<Input>;
  /** `store`: nothing but the record changes, and the settlement writes it. `kept_definition`: the backend puts back a definition
   * that the store kept, which every backend can. */
  appliedBy: "backend" | "store" | "kept_definition";
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

export function defineChange<Input>(definition: ChangeDefinition<Input>): ChangeDefinition<Input> {
  return definition;
}

/** The VM of a state in which there must be one. */
export function vmOf(state: State) {
  if (!state.vm) throw new TypeError("This change needs a VM and was planned without one");
  return state.vm;
}
