// @module-tag process
import { describe, expect, it } from "vitest";
import { foreign, openHarness, seedOf, uuid } from "./harness.ts";

const { call, refused, outside } = openHarness({ local: seedOf(foreign(1, "web"), foreign(2, "db")) });

describe("list_definitions", () => {
  it("lists the definitions that operations kept, newest first, and never their text", async () => {
    await call("adopt_vm", { vm: "web" });
    const first = await call("set_boot_order", { vm: "web", boot_order: "cdrom_hd" });
    const second = await call("attach_iso", { vm: "web", iso_path: "live.iso" });
    const { definitions } = await call("list_definitions", { vm: "web" });
    expect(definitions.map(({ operation }) => operation).slice(0, 2)).toEqual([second.operation, first.operation]);
    expect(definitions.slice(0, 2)).toMatchObject([
      { tool: "attach_iso", name: "web", boot_order: "cdrom_hd", size_bytes: expect.any(Number) },
      { tool: "set_boot_order", boot_order: "hd" },
    ]);
    expect(Object.keys(definitions[0]!)).not.toContain("definition");
    expect((await call("list_definitions", { vm: "web", limit: 1 })).definitions).toEqual(definitions.slice(0, 1));
  });
});

describe("restore_definition", () => {
  it("puts a whole definition back, takes its order as asked for, and can itself be restored from", async () => {
    const { definitions } = await call("list_definitions", { vm: "web" });
    const before = await call("get_vm", { vm: "web" });
    const old = definitions.find(({ tool }) => tool === "set_boot_order")!;
    const dry = await call("restore_definition", { vm: "web", operation: old.operation, dry_run: true });
    expect(dry.vm).toMatchObject({ boot_order: "cdrom_hd" });
    const done = await call("restore_definition", { vm: "web", operation: old.operation });
    expect(done.vm).toMatchObject({ boot_order: "hd", findings: [] });
    expect(done.vm).not.toHaveProperty("current_media");
    expect(await call("get_boot_order", { vm: "web" })).toMatchObject({ requested_boot_order: "hd" });
    await call("restore_definition", { vm: "web", operation: done.operation! });
    expect(await call("get_vm", { vm: "web" })).toEqual(before);
  });

  it("brings back a name and a VM that is gone, and keeps the status that it has by now", async () => {
    await call("complete_installation", { vm: "web" });
    const { definitions } = await call("list_definitions", { vm: "web" });
    const old = definitions.at(-1)!;
    outside(["setIdentity", uuid(1), { name: "other" }]);
    expect((await call("restore_definition", { vm: uuid(1), operation: old.operation })).vm).toMatchObject({
      name: "web",
      installation_status: "Installed",
      findings: [],
    });
    outside(["undefineVm", uuid(1)]);
    expect((await call("restore_definition", { vm: "web", operation: old.operation })).vm).toMatchObject({
      name: "web",
      power: "off",
      installation_status: "Installed",
      findings: [],
    });
  });

  it("refuses an operation that kept no definition of this VM, and says which did", async () => {
    await call("adopt_vm", { vm: "db" });
    const { definitions } = await call("list_definitions", { vm: "web", limit: 50 });
    const refusal = await refused("DEFINITION_NOT_FOUND", "restore_definition", {
      vm: "db",
      operation: definitions[0]!.operation,
    });
    expect(refusal.details.known).toHaveLength(1);
    expect(refusal.next).toBe("list_definitions");
  });
});
