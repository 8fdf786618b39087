/** Everything that can be changed about a VM. A backend supports a change by having a handler under its kind. */
import type { z } from "zod";
import { bootChanges } from "./boot.ts";
import type { ChangeDefinition } from "./change.ts";
import { definitionChanges } from "./definition.ts";
import { diskChanges } from "./disk.ts";
import { installationChanges } from "./installation.ts";
import { lifecycleChanges } from "./lifecycle.ts";
import { mediaChanges } from "./media.ts";
import { powerChanges } from "./power.ts";
import { recordChanges } from "./record.ts";
import { suggestionChanges } from "./suggestion.ts";

export const changes = {
  ...lifecycleChanges,
  ...powerChanges,
  ...bootChanges,
  ...mediaChanges,
  ...installationChanges,
  ...suggestionChanges,
  ...diskChanges,
  ...definitionChanges,
  ...recordChanges,
};

export type ChangeKind = keyof typeof changes;
export type Change<K extends ChangeKind = ChangeKind> = {
  [P in K]: Readonly<{ kind: P } & Fields<z.output<(typeof changes)[P]["input"]>>>;
}[K];

/** An empty object schema forbids every other key, which would rule out `kind` itself. */
type Fields<Input> = Input extends Record<string, never> ? unknown : Input;

/** The definition of each kind: those above, and those added at run time. */
const definitions = new Map<string, ChangeDefinition<Change>>(
  Object.entries(changes as unknown as Record<string, ChangeDefinition<Change>>),
);

/** Adds a kind of change that another module defines. Returns a function that removes it.
 * @throws TypeError for a kind that exists */
export function addChange<Input>(kind: string, definition: ChangeDefinition<Input>): () => void {
  if (definitions.has(kind)) throw new TypeError(`There is a change "${kind}" already`);
  definitions.set(kind, definition as unknown as ChangeDefinition<Change>);
  return () => definitions.delete(kind);
}

/** Whether this program knows the kind. An older or newer program may have known others. */
export const isKnown = ({ kind }: { kind: string }): boolean => definitions.has(kind);

/** The definition of this change, typed for it.
 * @throws TypeError for an unknown kind */
export function definitionOf(change: Change): ChangeDefinition<Change> {
  const definition = definitions.get(change.kind);
  if (!definition) throw new TypeError(`There is no change "${change.kind}"`);
  return definition;
}

/** Whether it writes the definition. */
export const writesDefinition = (change: Change): boolean => definitionOf(change).writes === "definition";
