/** Definitions can be taken and put back whole. */
import { expect } from "vitest";
import type { Bench, Test } from "./contract-bench.ts";
import { codeOf, contextFor } from "./contract-bench.ts";
import { medium } from "./contract-cases.ts";

export function backupContract(test: Test): void {
  const backedUp = async (bench: Bench, running = false) => {
    const before = await bench.make({ isoPath: bench.isos.data }, running);
    return { before, backup: await bench.backend.exportDefinition(before.target.uuid) };
  };

  test("backup() and restore() bring a definition back as it was", async (bench) => {
    const { before, backup } = await backedUp(bench);
    const changed = await bench.apply(before, medium(before));
    await bench.backend.importDefinition(before.target.uuid, backup, contextFor(changed));
    expect((await bench.look(before.target.uuid)).vm).toEqual(before.vm);
  });
  test("restore() brings back a VM that was deleted", async (bench) => {
    const { before, backup } = await backedUp(bench);
    const gone = await bench.apply(before, { kind: "vm.delete" });
    expect(gone.vm).toBeUndefined();
    await bench.backend.importDefinition(before.target.uuid, backup, contextFor(gone));
    expect((await bench.look(before.target.uuid)).vm).toEqual(before.vm);
  });
  test("restore() to a running VM leaves what is running alone", async (bench) => {
    const { before, backup } = await backedUp(bench, true);
    const { isoDrive } = { isoDrive: before.vm!.next.drives[0]!.target };
    const changed = await bench.apply(before, { kind: "media.set", drive: isoDrive, force: false });
    await bench.backend.importDefinition(before.target.uuid, backup, contextFor(changed));
    const { vm } = await bench.look(before.target.uuid);
    expect(vm!.next).toEqual(before.vm!.next);
    expect(vm!.live).toEqual(changed.vm!.live);
    expect(vm!.run).toBe(before.vm!.run);
  });
  test("restore() refuses a definition that another program wrote meanwhile with VM_CHANGED_MEANWHILE", async (bench) => {
    const { before, backup } = await backedUp(bench);
    const changed = await bench.apply(before, medium(before));
    const restored = bench.backend.importDefinition(
      before.target.uuid,
      backup,
      contextFor(changed, { expect: before.vm!.fingerprint }),
    );
    expect(await codeOf(restored)).toBe("VM_CHANGED_MEANWHILE");
    expect((await bench.look(before.target.uuid)).vm).toEqual(changed.vm);
  });
  test("restore() as if the VM were gone never overwrites one that is there", async (bench) => {
    const { before, backup } = await backedUp(bench);
    const changed = await bench.apply(before, medium(before));
    const { expect: _none, ...context } = contextFor(changed);
    expect(await codeOf(bench.backend.importDefinition(before.target.uuid, backup, context))).toBe(
      "VM_CHANGED_MEANWHILE",
    );
    expect((await bench.look(before.target.uuid)).vm).toEqual(changed.vm);
  });
  test("backup() of an unknown VM is refused", async ({ backend }) => {
    await expect(backend.exportDefinition(crypto.randomUUID())).rejects.toThrow();
  });
}
