/** Makes and removes definitions, and writes the claim tag in them. */
import { type ApplyContext, type BackendDefinition, DomainError } from "../../src/plugin.ts";
import { acceleratorFor } from "./acceleration.ts";
import { newDefinition, readDefinition, writtenDefinition } from "./definition.ts";
import { definitionOf, edit, remove, requireUnchanged, withNameLock, write } from "./definitions.ts";
import { withLock } from "./lock.ts";
import { isOn } from "./process.ts";
import { type QemuSession, requireOpen } from "./session.ts";

export const lifecycleHandlers: BackendDefinition<QemuSession>["changes"] = {
  "vm.create": {
    running: "now",
    async apply(session, _vm, { spec }, { signal, progress }) {
      requireOpen(session, signal);
      const accelerator = await acceleratorFor(session, spec.acceleration, progress, signal);
      const definition = newDefinition(spec, accelerator);
      await withNameLock(session, spec, signal, async () => {
        const there = (await definitionOf(session, spec.uuid))?.definition;
        if (there?.claim?.uuid === spec.uuid) return;
        const { connection } = session.context;
        if (there) throw new DomainError("VM_EXISTS", { name: there.name, connection, uuid: spec.uuid });
        await write(session, definition);
      });
    },
  },
  "vm.delete": {
    running: "refused",
    apply: (session, vm, _change, context) =>
      withLock(session.directory, vm!.uuid, context.signal, async () => {
        await requireUnchanged(session, vm!, context);
        if (await isOn(session, vm!.uuid))
          throw new DomainError("VM_MUST_BE_OFF", { vm: vm!.name, change: "vm.delete" });
        await remove(session, vm!.uuid);
      }),
  },
  "vm.rename": {
    running: "refused",
    apply: (session, vm, { name }, context) =>
      withNameLock(session, { uuid: vm!.uuid, name }, context.signal, async () => {
        const definition = await requireUnchanged(session, vm!, context);
        if (await isOn(session, vm!.uuid))
          throw new DomainError("VM_MUST_BE_OFF", { vm: vm!.name, change: "vm.rename" });
        await write(session, { ...definition, name });
      }),
  },
  "claim.write": {
    running: "now",
    apply: (session, vm, { tag }, context) =>
      edit(session, vm!, context, ({ claim: _old, ...definition }) => ({ ...definition, ...(tag && { claim: tag }) })),
  },
};

/** The definition's own text. @throws DomainError VM_NOT_FOUND */
export async function exportDefinition(session: QemuSession, uuid: string, signal?: AbortSignal): Promise<string> {
  requireOpen(session, signal);
  const found = await definitionOf(session, uuid);
  if (!found) throw new DomainError("VM_NOT_FOUND", { vm: uuid, known: [] });
  return writtenDefinition(found.definition);
}

/** Puts back the whole definition of a VM that is gone, or of a VM that is still as expected. */
export async function importDefinition(
  session: QemuSession,
  uuid: string,
  text: string,
  { expect, signal }: ApplyContext,
): Promise<void> {
  requireOpen(session, signal);
  const definition = readDefinition(text);
  if (definition.uuid !== uuid) throw new Error(`the definition is one of VM ${definition.uuid}`);
  await withNameLock(session, definition, signal, async () => {
    // Without `expect` the VM must be gone: one that was made under this UUID meanwhile stays.
    const found = await definitionOf(session, uuid);
    if (found?.fingerprint !== expect) throw new DomainError("VM_CHANGED_MEANWHILE", { vm: definition.name });
    await write(session, definition);
  });
}
