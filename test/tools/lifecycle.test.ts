/** What stays of a VM that could not be made, and the way out; deleting what others use. */
// @module-tag process
import { describe, expect, it } from "vitest";
import { foreign, openHarness, seedOf, uuid } from "./harness.ts";

const { call, refused, outside, server } = openHarness({ local: seedOf(foreign(1, "other")) });
type Confirm = { confirm: string; losses: string[] };

/** Deletes a VM as a person who agrees. Returns what was said to be lost. */
async function remove(vm: string) {
  const { confirm, losses } = (await refused("CONFIRMATION_REQUIRED", "delete_vm", { vm })).details as Confirm;
  return { losses, answer: await call("delete_vm", { vm, confirm }) };
}

/** Asks for a VM that the hypervisor does not make; what was made of it cannot be removed either. */
async function unmade(name: string, ...kinds: string[]) {
  outside(["setRefused", kinds]);
  const refusal = await server().refusal("create_vm", { name, disk_size_gb: 1 });
  expect(refusal).toMatchObject({ code: "ROLLBACK_FAILED", outcome: { status: "rollback_failed" } });
  const { vm, left } = refusal!.details as { vm: string; left: string[] };
  return { vm, left, hint: refusal!.hint, path: `/memory/images/${vm}.qcow2` };
}

describe("delete_vm of a VM that could not be made", () => {
  it("removes the disk that stayed, by the UUID that the hint names, and then knows of no such VM", async () => {
    const { vm, left, hint, path } = await unmade("half", "vm.create", "disk.delete");
    expect(left).toEqual([`create a 1 GiB qcow2 disk ${path}`]);
    expect(hint).toContain(`delete_vm on ${vm}`);
    const dry = await call("delete_vm", { vm, dry_run: true });
    expect(dry).toMatchObject({ would_lose: [`the file ${path}`], steps: [`remove the file ${path}`] });
    // It cannot be removed still, and the way out stays open.
    const { confirm } = (await refused("CONFIRMATION_REQUIRED", "delete_vm", { vm })).details as Confirm;
    expect((await server().refusal("delete_vm", { vm, confirm }))?.code).toBe("BACKEND_FAILED");
    outside(["setRefused", []]);
    const { losses, answer } = await remove(vm);
    expect(losses).toEqual([`the file ${path}`]);
    expect(answer).toMatchObject({ changed: true, steps: [`remove the file ${path}`] });
    await refused("VM_NOT_FOUND", "delete_vm", { vm });
    const { operations } = await call("list_operations", { vm });
    expect(operations.map(({ tool, status }) => [tool, status])).toEqual([
      ["delete_vm", "applied"],
      ["delete_vm", "rolled_back"],
      ["create_vm", "rollback_failed"],
    ]);
  });

  it("removes it by name, and leaves one of that name alone that there is since", async () => {
    const { path } = await unmade("named", "vm.create", "disk.delete");
    outside(["setRefused", []]);
    expect((await remove("named")).losses).toEqual([`the file ${path}`]);
    await call("create_vm", { name: "named", disk_size_gb: 1 });
    expect((await call("delete_vm", { vm: "named", dry_run: true })).would_lose).not.toContain(`the file ${path}`);
  });

  it("removes its definition too, where that was made after all", async () => {
    const { vm, path } = await unmade("late", "vm.create", "disk.delete");
    const { next } = foreign(2, "late", { diskPath: path }).vm;
    const tag = { uuid: vm, revision: 1, status: "NotInstalled" };
    outside(["setRefused", []], ["defineVm", { uuid: vm, name: "late", next }]);
    await refused("VM_NOT_MANAGED", "delete_vm", { vm });
    outside(["setIdentity", vm, { claim: tag }]);
    expect((await remove("late")).losses).toEqual(["the definition of VM late", `the file ${path}`]);
    await refused("VM_NOT_FOUND", "delete_vm", { vm });
  });

  it("removes no disk that another VM has been given", async () => {
    const { vm, path } = await unmade("given", "vm.create", "disk.delete");
    outside(["setRefused", []], ["edit", uuid(1), { disks: [{ ...foreign(1, "other").vm.next.disks[0]!, path }] }]);
    // Whether it is running on it or not.
    expect((await refused("IMAGE_REFUSED", "delete_vm", { vm })).message).toContain("other");
    await call("adopt_vm", { vm: "other" });
    await call("start_vm", { vm: "other", accept: ["DISK_BLANK", "NOTHING_BOOTS"] });
    expect((await refused("IMAGE_REFUSED", "delete_vm", { vm })).message).toContain("other");
  });

  it("removes no disk of a VM that is there, or gone, that another has too", async () => {
    const { vm } = await call("create_vm", { name: "shared", disk_size_gb: 1 });
    outside(["edit", uuid(1), { disks: [{ ...foreign(1, "other").vm.next.disks[0]!, path: vm.disk_path! }] }]);
    expect((await refused("IMAGE_REFUSED", "delete_vm", { vm: vm.uuid })).message).toContain("other");
    outside(["undefineVm", vm.uuid]);
    expect((await refused("IMAGE_REFUSED", "delete_vm", { vm: vm.uuid })).message).toContain("other");
  });

  it("is refused for a VM whose creation was undone", async () => {
    outside(["setRefused", ["vm.create"]]);
    const refusal = await server().refusal("create_vm", { name: "undone", disk_size_gb: 1 });
    expect(refusal?.outcome).toMatchObject({ status: "rolled_back" });
    await refused("VM_NOT_FOUND", "delete_vm", { vm: "undone" });
  });
});
