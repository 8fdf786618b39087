/** One change, made by whom it is seated with. */
import type { Change } from "../changes/catalogue.ts";
import { DomainError } from "../error.ts";
import type { State } from "../model/state.ts";
import type { ApplyContext } from "../ports/backend.ts";
import type { Ports } from "../ports/operation-ports.ts";

/** May fail, may fail after working, may never return: the caller looks afterwards.
 * @throws DomainError DEFINITION_NOT_FOUND, and whatever the backend throws */
export async function applyChange(
  { backend, store }: Ports,
  { target, vm }: State,
  change: Change,
  context: ApplyContext,
): Promise<void> {
  if (change.kind !== "definition.restore") return backend.apply(vm, change, context);
  const definition = await store.definition(change.operation);
  if (definition === undefined)
    throw new DomainError("DEFINITION_NOT_FOUND", { vm: target.uuid, operation: change.operation, known: [] });
  await backend.importDefinition(target.uuid, definition, context);
}
