/** Definitions can be taken and put back whole. */
import { expect } from "vitest";
import type { Bench, Test } from "./contract-bench.ts";
import { codeOf, contextFor } from "./contract-bench.ts";
import { medium } from "./contract-cases.ts";

export function definitionContract(test: Test): void {
  const exported = async (bench: Bench, running = false) => {
    const before = await bench.make({ isoPath: bench.isos.data }, running);
    return { before, definition: await bench.backend.exportDefinition(before.target.uuid) };
  };

  test("exportDefinition() and importDefinition() bring a definition back as it was", async (bench) => {
    const { before, definition } = await exported(bench);
    const changed = await bench.apply(before, medium(before));
    await bench.backend.importDefinition(before.target.uuid, definition, contextFor(changed));
    expect((await bench.look(before.target.uuid)).vm).toEqual(before.vm);
  });
  test("importDefinition() brings back a VM that was deleted", async (bench) => {
    const { before, definition } = await exported(bench);
    const gone = await bench.apply(before, { kind: "vm.delete" });
    expect(gone.vm).toBeUndefined();
    await bench.backend.importDefinition(before.target.uuid, definition, contextFor(gone));
    expect((await bench.look(before.target.uuid)).vm).toEqual(before.vm);
  });
  test("importDefinition() to a running VM leaves what is running alone", async (bench) => {
    const { before, definition } = await exported(bench, true);
    const { isoDrive } = { isoDrive: before.vm!.next.drives[0]!.target };
    const changed = await bench.apply(before, { kind: "media.set", drive: isoDrive, force: false });
    await bench.backend.importDefinition(before.target.uuid, definition, contextFor(changed));
    const { vm } = await bench.look(before.target.uuid);
    expect(vm!.next).toEqual(before.vm!.next);
    expect(vm!.live).toEqual(changed.vm!.live);
    expect(vm!.run).toBe(before.vm!.run);
  });
  test("importDefinition() refuses a definition that another program wrote meanwhile with VM_CHANGED_MEANWHILE", async (bench) => {
    const { before, definition } = await exported(bench);
    const changed = await bench.apply(before, medium(before));
    const restored = bench.backend.importDefinition(
      before.target.uuid,
      definition,
      contextFor(changed, { expect: before.vm!.fingerprint }),
    );
    expect(await codeOf(restored)).toBe("VM_CHANGED_MEANWHILE");
    expect((await bench.look(before.target.uuid)).vm).toEqual(changed.vm);
  });
  test("importDefinition() as if the VM were gone never overwrites one that is there", async (bench) => {
    const { before, definition } = await exported(bench);
    const changed = await bench.apply(before, medium(before));
    const { expect: _none, ...context } = contextFor(changed);
    expect(await codeOf(bench.backend.importDefinition(before.target.uuid, definition, context))).toBe(
      "VM_CHANGED_MEANWHILE",
    );
    expect((await bench.look(before.target.uuid)).vm).toEqual(changed.vm);
  });
  test("exportDefinition() of an unknown VM is refused", async ({ backend }) => {
    await expect(backend.exportDefinition(crypto.randomUUID())).rejects.toThrow();
  });
}
