/** Applies one change by the means that its definition names. */
import { type Change, definitionOf } from "../changes/catalogue.ts";
import { DomainError } from "../error.ts";
import type { State } from "../model/state.ts";
import type { ApplyContext } from "../ports/apply-context.ts";

import type { Ports } from "../ports/operation-ports.ts";

/** Applies a change. It may fail, fail after taking effect, or never return: the caller observes afterwards.
 * @throws DomainError DEFINITION_NOT_FOUND, and whatever the backend throws */
export async function applyChange(
  { backend, store }: Ports,
  { target, vm }: State,
  change: Change,
  context: ApplyContext,
): Promise<void> {
  const applied = definitionOf(change);
  if (applied.appliedBy !== "kept_definition") return backend.apply(vm, change, context);
  const operation = applied.keptBy(change);
  const definition = await store.definition(operation);
  if (definition === undefined)
    throw new DomainError("DEFINITION_NOT_FOUND", { vm: target.uuid, operation, known: [] });
  await backend.importDefinition(target.uuid, definition, context);
}
