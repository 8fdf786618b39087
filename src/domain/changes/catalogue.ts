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

/** An empty object schema says "no other key may be", which would rule out `kind` itself. */
type Fields<Input> = Input extends Record<string, never> ? unknown : Input;

/** The definition of this change, typed for it. */
export const definitionOf = (change: Change): ChangeDefinition<Change> =>
  changes[change.kind] as unknown as ChangeDefinition<Change>;

/** Whether it writes the definition. Power and files are no part of that, and an edit that another program makes while a
 * guest shuts down is not ours. */
export const touchesDefinition = (change: Change): boolean =>
  definitionOf(change).appliedBy !== "store" && !/^(?:disk|power|saved_state|reboot_action)\./.test(change.kind);
