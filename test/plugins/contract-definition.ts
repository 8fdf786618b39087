/** Definitions can be taken and put back whole. */
import { expect } from "vitest";
import { medium } from "./contract-cases.ts";
import type { Harness, Test } from "./contract-harness.ts";
import { codeOf, contextFor } from "./contract-harness.ts";

export function definitionContract(test: Test): void {
  const exported = async (harness: Harness, running = false) => {
    const before = await harness.make({ isoPath: harness.isos.data }, running);
    return { before, definition: await harness.backend.exportDefinition(before.target.uuid) };
  };

  test("exportDefinition() and importDefinition() bring a definition back as it was", async (harness) => {
    const { before, definition } = await exported(harness);
    const changed = await harness.apply(before, medium(before));
    await harness.backend.importDefinition(before.target.uuid, definition, contextFor(changed));
    expect((await harness.look(before.target.uuid)).vm).toEqual(before.vm);
  });
  test("importDefinition() brings back a VM that was deleted", async (harness) => {
    const { before, definition } = await exported(harness);
    const gone = await harness.apply(before, { kind: "vm.delete" });
    expect(gone.vm).toBeUndefined();
    await harness.backend.importDefinition(before.target.uuid, definition, contextFor(gone));
    expect((await harness.look(before.target.uuid)).vm).toEqual(before.vm);
  });
  test("importDefinition() to a running VM leaves what is running alone", async (harness) => {
    const { before, definition } = await exported(harness, true);
    const { isoDrive } = { isoDrive: before.vm!.next.drives[0]!.target };
    const changed = await harness.apply(before, { kind: "media.set", drive: isoDrive, force: false });
    await harness.backend.importDefinition(before.target.uuid, definition, contextFor(changed));
    const { vm } = await harness.look(before.target.uuid);
    expect(vm!.next).toEqual(before.vm!.next);
    expect(vm!.live).toEqual(changed.vm!.live);
    expect(vm!.run).toBe(before.vm!.run);
  });
  test("importDefinition() refuses a definition that another program wrote meanwhile with VM_CHANGED_MEANWHILE", async (harness) => {
    const { before, definition } = await exported(harness);
    const changed = await harness.apply(before, medium(before));
    const restored = harness.backend.importDefinition(
      before.target.uuid,
      definition,
      contextFor(changed, { expect: before.vm!.fingerprint }),
    );
    expect(await codeOf(restored)).toBe("VM_CHANGED_MEANWHILE");
    expect((await harness.look(before.target.uuid)).vm).toEqual(changed.vm);
  });
  test("importDefinition() as if the VM were gone never overwrites one that is there", async (harness) => {
    const { before, definition } = await exported(harness);
    const changed = await harness.apply(before, medium(before));
    const { expect: _none, ...context } = contextFor(changed);
    expect(await codeOf(harness.backend.importDefinition(before.target.uuid, definition, context))).toBe(
      "VM_CHANGED_MEANWHILE",
    );
    expect((await harness.look(before.target.uuid)).vm).toEqual(changed.vm);
  });
  test("exportDefinition() of an unknown VM is refused", async ({ backend }) => {
    await expect(backend.exportDefinition(crypto.randomUUID())).rejects.toThrow();
  });
}
