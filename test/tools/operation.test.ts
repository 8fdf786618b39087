// @module-tag process
import { describe, expect, it } from "vitest";
import { foreign, openHarness, seedOf, uuid } from "./harness.ts";

type Confirm = { confirm: string };

const { call, refused, outside } = openHarness({ local: seedOf(foreign(1, "web")) });

describe("get_operation", () => {
  it("tells who asked for what, its steps, and what became of each", async () => {
    const { operation, vm } = await call("create_vm", { name: "new" });
    expect(await call("get_operation", { operation })).toEqual({
      operation,
      vm: vm.uuid,
      connection: "local",
      tool: "create_vm",
      actor: "mcp:bootwright-test 1",
      status: "applied",
      direction: "forward",
      steps: [
        { change: "disk.create", summary: expect.stringContaining("create a 20 GiB"), status: "done" },
        { change: "vm.create", summary: "define VM new with boot order cdrom_hd", status: "done" },
      ],
      before: { power: "missing" },
      after: {
        name: "new",
        power: "off",
        boot_order: "cdrom_hd",
        requested_boot_order: "cdrom_hd",
        disk_size_gb: 20,
        installation_status: "NotInstalled",
      },
      begun_at: expect.any(String),
      settled_at: expect.any(String),
      duration_ms: expect.any(Number),
    });
  });

  it("refuses an id that there is not", async () => {
    await refused("OPERATION_NOT_FOUND", "get_operation", { operation: "nothing" });
    for (const operation of ["", "x".repeat(101)]) await refused("INPUT_INVALID", "get_operation", { operation });
  });
});

describe("list_operations", () => {
  it("lists what was done to a VM, newest first, page by page, without what was kept for a rollback", async () => {
    const { vm } = await call("create_vm", { name: "listed" });
    for (const boot_order of ["hd_cdrom", "cdrom_hd"]) await call("set_boot_order", { vm: vm.uuid, boot_order });
    const { operations } = await call("list_operations", { vm: "listed" });
    expect(operations.map(({ tool }) => tool)).toEqual(["set_boot_order", "set_boot_order", "create_vm"]);
    expect(operations[0]).toMatchObject({ before: { boot_order: "hd_cdrom" }, after: { boot_order: "cdrom_hd" } });
    expect(operations[0]?.steps).toMatchObject([{ summary: "set the boot order to cdrom_hd", status: "done" }]);
    const page = { vm: "listed", limit: 1, before: operations[0]!.operation };
    expect((await call("list_operations", page)).operations).toEqual([operations[1]]);
    expect((await call("list_operations", { vm: "listed", status: ["failed"] })).operations).toEqual([]);
    expect(JSON.stringify(operations)).not.toContain("<domain");
  });

  it("lists what was done to a VM that is no more, by its UUID or by the name that it had last", async () => {
    const { vm } = await call("create_vm", { name: "first" });
    const { confirm } = (await refused("CONFIRMATION_REQUIRED", "delete_vm", { vm: "first" })).details as Confirm;
    await call("delete_vm", { vm: "first", confirm });
    await refused("VM_NOT_FOUND", "get_vm", { vm: "first" });
    for (const name of ["first", "local/first", vm.uuid, vm.uuid.toUpperCase(), `local/${vm.uuid}`]) {
      const { operations } = await call("list_operations", { vm: name });
      expect(
        operations.map(({ tool }) => tool),
        name,
      ).toEqual(["delete_vm", "create_vm"]);
      const { events } = await call("list_events", { vm: name });
      expect(
        events.map(({ type }) => type),
        name,
      ).toEqual(["vm.deleted", "vm.created"]);
    }
    const again = await call("create_vm", { name: "first" });
    expect((await call("list_operations", { vm: "first" })).operations.map(({ vm: id }) => id)).toEqual([
      again.vm.uuid,
    ]);
    for (const name of ["never", uuid(9)]) await refused("VM_NOT_FOUND", "list_operations", { vm: name });
  });

  it("refuses to go on from an operation that there is not", async () => {
    await refused("OPERATION_NOT_FOUND", "list_operations", { before: "nothing" });
  });
});

describe("undo_operation", () => {
  it("puts back the boot order, and takes it as asked for", async () => {
    await call("create_vm", { name: "undone" });
    const { operation } = await call("set_boot_order", { vm: "undone", boot_order: "hd_cdrom" });
    const dry = await call("undo_operation", { operation, dry_run: true });
    expect(dry).toMatchObject({ dry_run: true, steps: ["set the boot order to cdrom_hd"] });
    expect(await call("undo_operation", { operation })).toMatchObject({
      changed: true,
      vm: { boot_order: "cdrom_hd" },
    });
    const { findings } = await call("get_vm", { vm: "undone" });
    expect(findings.map(({ code }) => code)).not.toContain("BOOT_ORDER_DRIFT");
    await refused("UNDO_IMPOSSIBLE", "undo_operation", { operation });
  });

  it("puts back the medium that was there before", async () => {
    await call("create_vm", { name: "medium", iso_path: "installer.iso" });
    const { operation } = await call("attach_iso", { vm: "medium", iso_path: "live.iso" });
    expect((await call("undo_operation", { operation })).vm.current_media).toBe("/memory/isos/installer.iso");
  });

  it("puts no ISO back that is gone", async () => {
    await call("create_vm", { name: "emptied", iso_path: "drivers.iso" });
    const { operation } = await call("detach_iso", { vm: "emptied" });
    outside(["removeFile", "/memory/isos/drivers.iso"]);
    const refusal = await refused("ISO_NOT_FOUND", "undo_operation", { operation });
    expect(refusal.message).toContain("/memory/isos/drivers.iso");
    expect((await call("get_vm", { vm: "emptied" })).current_media).toBeUndefined();
  });

  it("takes an ISO out of a VM that was started since, now and for the next start", async () => {
    await call("create_vm", { name: "started", iso_path: "installer.iso" });
    const { operation } = await call("attach_iso", { vm: "started", iso_path: "live.iso" });
    await call("start_vm", { vm: "started" });
    const undone = await call("undo_operation", { operation });
    expect(undone).toMatchObject({ changed: true, vm: { current_media: "/memory/isos/installer.iso", pending: [] } });
    expect(undone.vm.next_media).toBeUndefined();
  });

  it("refuses what has no way back, and what is no longer as it was left", async () => {
    const created = await call("create_vm", { name: "kept" });
    const completed = await call("complete_installation", { vm: "kept" });
    for (const { operation } of [created, completed]) await refused("UNDO_IMPOSSIBLE", "undo_operation", { operation });
    const { operation } = await call("set_boot_order", { vm: "kept", boot_order: "hd_cdrom" });
    await call("set_boot_order", { vm: "kept", boot_order: "hd" });
    expect((await refused("UNDO_IMPOSSIBLE", "undo_operation", { operation })).message).toContain("no longer");
    await refused("OPERATION_NOT_FOUND", "undo_operation", { operation: "nothing" });
  });
});
