/** What other programs do to a definition behind Bootwright's back, and both ways out of it. */
// @module-tag process
import { describe, expect, it } from "vitest";
import { foreign, openHarness, seedOf, uuid } from "./harness.ts";

const names = ["adopted", "stale", "reverted", "untouched", "renamed", "removed", "stranger"];
const { call, refused, outside } = openHarness({
  local: seedOf(...names.map((name, index) => foreign(index + 1, name))),
});
const idOf = (name: string) => uuid(names.indexOf(name) + 1);
const codesOf = async (vm: string) => (await call("get_vm", { vm })).findings.map(({ code }) => code);
const tag = (id: string, revision: number, status: string) => ({ uuid: id, revision, status });

/** An installed VM whose definition another program put back as it was before: from a file, or with a snapshot. */
async function replaced(name: string) {
  const id = idOf(name);
  await call("adopt_vm", { vm: name });
  await call("complete_installation", { vm: name });
  outside(["setIdentity", id, { claim: tag(id, 1, "NotInstalled") }]);
  return id;
}

describe("repair_vm of a definition that was replaced", () => {
  it("notices it, and changes no status over it", async () => {
    const id = await replaced("stale");
    const { findings } = await call("get_vm", { vm: id });
    expect(findings.find(({ code }) => code === "DEFINITION_REPLACED")).toMatchObject({
      message: expect.stringContaining("(revision 1, NotInstalled) is older than the record (2, Installed)"),
      blocks: ["status"],
    });
    await refused("BLOCKED_BY_FINDINGS", "begin_reinstallation", { vm: id });
    // What does not concern the tag can be done all the same.
    expect(await call("set_boot_order", { vm: id, boot_order: "hd_cdrom" })).toMatchObject({ changed: true });
  });

  it("put_back brings back the order that was asked for and the tag, and no older text is taken for it again", async () => {
    const id = idOf("stale");
    outside(["setBoot", id, { style: "os", entries: [{ device: "class:cdrom", order: 1 }] }]);
    expect(await codesOf(id)).toEqual(expect.arrayContaining(["DEFINITION_REPLACED", "BOOT_ORDER_DRIFT"]));
    const dry = await call("repair_vm", { vm: id, action: "put_back", dry_run: true });
    expect(dry.steps).toEqual([
      "set the boot order to hd_cdrom",
      "write the metadata tag (revision 3, Installed)",
      "record the name stale and the status Installed",
    ]);
    const done = await call("repair_vm", { vm: id, action: "put_back" });
    expect(done.vm).toMatchObject({ boot_order: "hd_cdrom", installation_status: "Installed", findings: [] });
    outside(["setIdentity", id, { claim: tag(id, 2, "Installed") }]);
    expect(await codesOf(id)).toEqual(["DEFINITION_REPLACED"]);
    expect(await call("repair_vm", { vm: id, action: "put_back" })).toMatchObject({ changed: true });
    expect(await call("repair_vm", { vm: id, action: "put_back" })).toMatchObject({ changed: false });
  });

  it("adopt takes what is there, and the status of the tag where the disk went back too", async () => {
    const id = await replaced("reverted");
    await codesOf(id);
    outside(["setBoot", id, { style: "os", entries: [{ device: "class:cdrom", order: 1 }] }]);
    const kept = await call("repair_vm", { vm: id, action: "adopt", dry_run: true });
    expect(kept.steps).toContain("write the metadata tag (revision 3, Installed)");
    const done = await call("repair_vm", { vm: id, action: "adopt", status_from: "tag" });
    expect(done.vm).toMatchObject({ installation_status: "NotInstalled", boot_order: "cdrom" });
    expect(await codesOf(id)).not.toContain("DEFINITION_REPLACED");
    const { operations } = await call("list_operations", { vm: id, limit: 1 });
    expect(operations[0]).toMatchObject({ tool: "repair_vm", status: "applied" });
  });

  it("adopt takes the status of a tag that is newer than the record", async () => {
    const id = idOf("reverted");
    outside(["setIdentity", id, { claim: tag(id, 9, "Installed") }]);
    expect(await codesOf(id)).toContain("RECORD_OUTDATED");
    expect((await call("repair_vm", { vm: id, action: "adopt" })).vm.installation_status).toBe("Installed");
    expect(await codesOf(id)).not.toContain("RECORD_OUTDATED");
  });

  it("put_back brings no disk back that is gone from the definition, and names what does", async () => {
    const { vm } = await call("create_vm", { name: "diskless", disk_size_gb: 1 });
    await call("set_boot_order", { vm: vm.uuid, boot_order: "hd_cdrom" });
    outside(["edit", vm.uuid, { disks: [] }]);
    expect(await codesOf(vm.uuid)).toContain("DEFINITION_REPLACED");
    const refusal = await refused("REPAIR_IMPOSSIBLE", "repair_vm", { vm: vm.uuid, action: "put_back" });
    expect(refusal.message).toContain("restore_definition");
    const { definitions } = await call("list_definitions", { vm: vm.uuid });
    const restored = await call("restore_definition", { vm: vm.uuid, operation: definitions[0]!.operation });
    expect(restored.vm.disk_path).toBe(vm.disk_path);
    // Gone after that, it comes back as it was restored.
    outside(["undefineVm", vm.uuid]);
    const back = await call("repair_vm", { vm: vm.uuid, action: "put_back" });
    expect(back.vm).toMatchObject({ disk_path: vm.disk_path, power: "off" });
  });

  it("has nothing to do for a VM that nobody touched, and refuses one that is not managed", async () => {
    await call("adopt_vm", { vm: "untouched" });
    for (const action of ["adopt", "put_back"])
      expect(await call("repair_vm", { vm: "untouched", action })).toMatchObject({ changed: false });
    await refused("VM_NOT_MANAGED", "repair_vm", { vm: "stranger", action: "adopt" });
  });
});

describe("repair_vm of a definition that was edited", () => {
  it("is offered once something else than order, name and tag was changed, and takes what is there", async () => {
    const { vm } = await call("create_vm", { name: "edited" });
    outside(["edit", vm.uuid, { cpus: 7 }]);
    expect(await codesOf(vm.uuid)).toContain("DEFINITION_EDITED");
    // What is written beside it does not make it anybody's wish.
    await call("set_boot_order", { vm: vm.uuid, boot_order: "hd_cdrom" });
    expect(await codesOf(vm.uuid)).toContain("DEFINITION_EDITED");
    const refusal = await refused("REPAIR_IMPOSSIBLE", "repair_vm", { vm: vm.uuid, action: "put_back" });
    expect(refusal.message).toContain("restore_definition");
    expect((await call("repair_vm", { vm: vm.uuid, action: "adopt" })).vm.cpus).toBe(7);
    expect(await codesOf(vm.uuid)).not.toContain("DEFINITION_EDITED");
  });

  it("is not needed where a kept definition was put back", async () => {
    const { vm } = await call("create_vm", { name: "edited-back" });
    await call("set_boot_order", { vm: vm.uuid, boot_order: "hd_cdrom" });
    outside(["edit", vm.uuid, { cpus: 7 }]);
    const { definitions } = await call("list_definitions", { vm: vm.uuid });
    const restored = await call("restore_definition", { vm: vm.uuid, operation: definitions[0]!.operation });
    expect(restored.vm.cpus).not.toBe(7);
    expect(await codesOf(vm.uuid)).not.toContain("DEFINITION_EDITED");
  });
});

describe("repair_vm of a VM that was renamed", () => {
  it("gives it its name back, or takes the new one", async () => {
    const id = idOf("renamed");
    await call("adopt_vm", { vm: "renamed" });
    outside(["setIdentity", id, { name: "other" }]);
    expect(await codesOf(id)).toEqual(["VM_RENAMED"]);
    expect((await call("repair_vm", { vm: id, action: "put_back" })).vm).toMatchObject({
      name: "renamed",
      findings: [],
    });
    outside(["setIdentity", id, { name: "other" }]);
    expect((await call("repair_vm", { vm: id, action: "adopt" })).vm).toMatchObject({ name: "other", findings: [] });
    expect(await call("get_vm", { vm: "other" })).toMatchObject({ uuid: id });
    await refused("VM_NOT_FOUND", "get_vm", { vm: "renamed" });
  });

  it("does not rename a VM that is running", async () => {
    const id = idOf("renamed");
    await call("start_vm", { vm: id });
    outside(["setIdentity", id, { name: "again" }]);
    await refused("VM_MUST_BE_OFF", "repair_vm", { vm: id, action: "put_back" });
  });
});

describe("repair_vm of a VM that is gone", () => {
  it("defines it again as it was last known, whatever was kept of it", async () => {
    const { vm } = await call("create_vm", { name: "new", iso_path: "installer.iso", disk_size_gb: 1 });
    for (const step of ["created", "changed"]) {
      if (step === "changed") {
        await call("detach_iso", { vm: "new" });
        await call("set_boot_order", { vm: "new", boot_order: "hd_cdrom" });
        await call("attach_iso", { vm: "new", iso_path: "live.iso" });
      }
      const before = await call("get_vm", { vm: "new" });
      outside(["undefineVm", vm.uuid]);
      expect(await call("get_vm", { vm: "new" })).toMatchObject({
        power: "missing",
        findings: [{ code: "DEFINITION_GONE" }],
      });
      await refused("VM_GONE", "repair_vm", { vm: "new", action: "adopt" });
      await call("repair_vm", { vm: "new", action: "put_back" });
      expect(await call("get_vm", { vm: "new" }), step).toEqual(before);
    }
  });

  it("has nothing to define again where nothing was kept", async () => {
    const id = idOf("removed");
    await call("adopt_vm", { vm: "removed" });
    const { definitions } = await call("list_definitions", { vm: id });
    expect(definitions).toHaveLength(1);
    outside(["undefineVm", id]);
    expect((await call("repair_vm", { vm: id, action: "put_back" })).vm.name).toBe("removed");
  });
});

describe("adopt_vm", () => {
  it("takes a copied VM as its own", async () => {
    const { uuid: original } = await call("get_vm", { vm: "adopted" });
    await call("adopt_vm", { vm: "adopted" });
    const copy = idOf("stranger");
    outside(["setIdentity", copy, { claim: tag(original, 4, "Installed") }]);
    const { findings } = await call("get_vm", { vm: copy });
    expect(findings).toMatchObject([{ code: "CLAIM_FOREIGN", fixes: [{ tool: "adopt_vm", arguments: { vm: copy } }] }]);
    const { adopted } = await call("adopt_vm", { vm: copy });
    expect(adopted[0]).toMatchObject({ vm: { installation_status: "NotInstalled", findings: [] } });
  });
});
