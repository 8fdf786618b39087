// Goal: whatever another program does to a managed domain's definition is noticed, and both ways out of it lead to a
// record and a domain that agree. Method: virsh is the other program, and looks afterwards from outside.

import { rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { openClient } from "../../support/client.ts";
import { codesOf, openTestbed, refusalOf, type Testbed, type TestbedVm } from "../../support/vm.ts";

const { isos } = inject("guests");
let testbed: Testbed;
beforeAll(async () => {
  testbed = await openTestbed({ isos: [isos.resets] });
});
afterAll(() => testbed?.close());

const look = (vm: TestbedVm) => testbed.call("get_vm", { vm: vm.uuid });
const tagIn = (xml: string) => /<bootwright:vm [^>]*\/>/.exec(xml)?.[0];

/** An installed VM, and its definition as it was before the installation. */
async function installedSince(word: string): Promise<{ vm: TestbedVm; old: string }> {
  const vm = await testbed.installed(word);
  const old = await testbed.xml(vm.name);
  await testbed.call("complete_installation", { vm: vm.uuid, boot_order: "hd" });
  return { vm, old };
}

describe("A definition that another program put back from a file", () => {
  test("is noticed, and put_back brings back what is on record", async () => {
    const { vm, old } = await installedSince("stale");
    await testbed.define(old);
    expect(codesOf(await look(vm))).toEqual(expect.arrayContaining(["DEFINITION_REPLACED", "BOOT_ORDER_DRIFT"]));
    expect((await refusalOf(testbed.call("begin_reinstallation", { vm: vm.uuid }))).code).toBe("BLOCKED_BY_FINDINGS");
    const { vm: mended } = await testbed.call("repair_vm", { vm: vm.uuid, action: "put_back" });
    expect(mended).toMatchObject({ boot_order: "hd", installation_status: "Installed", findings: [] });
    const xml = await testbed.xml(vm.name);
    expect(tagIn(xml)).toContain('status="Installed"');
    expect(xml).toContain("<boot dev='hd'/>");
    expect(xml).not.toContain("<boot dev='cdrom'/>");
  });

  test("is noticed after a revert to a snapshot too, and adopt takes the status that the tag then had", async () => {
    const vm = await testbed.installed("reverted");
    await testbed.virsh("snapshot-create-as", vm.name, "first");
    await testbed.call("complete_installation", { vm: vm.uuid, boot_order: "hd" });
    await testbed.virsh("snapshot-revert", vm.name, "first");
    expect(codesOf(await look(vm))).toContain("DEFINITION_REPLACED");
    const { vm: taken } = await testbed.call("repair_vm", { vm: vm.uuid, action: "adopt", status_from: "tag" });
    expect(taken).toMatchObject({ installation_status: "NotInstalled", boot_order: "cdrom_hd" });
    expect(codesOf(await look(vm))).not.toContain("DEFINITION_REPLACED");
    expect(tagIn(await testbed.xml(vm.name))).toContain('revision="3"');
  });
});

describe("A domain that another program renamed", () => {
  test("is still the same VM, and gets its name back or keeps the new one", async () => {
    const vm = await testbed.installed("named");
    const other = testbed.name("other");
    await testbed.virsh("domrename", vm.name, other);
    expect(codesOf(await look(vm))).toContain("VM_RENAMED");
    await testbed.call("repair_vm", { vm: vm.uuid, action: "put_back" });
    expect(await testbed.virsh("domuuid", vm.name)).toBe(vm.uuid);
    await testbed.virsh("domrename", vm.name, other);
    await testbed.call("repair_vm", { vm: vm.uuid, action: "adopt" });
    expect(await testbed.call("get_vm", { vm: other })).toMatchObject({ uuid: vm.uuid, name: other });
  });
});

describe("A domain that another program removed", () => {
  test.each(["bios", "uefi"])("is defined again as it was, with %s", async (firmware) => {
    const vm = await testbed.create(`gone-${firmware}`, { firmware, iso_path: testbed.iso(isos.resets) });
    await testbed.call("set_boot_order", { vm: vm.uuid, boot_order: "hd_cdrom" });
    const [before, xml] = [await look(vm), await testbed.xml(vm.name)];
    await testbed.virsh("undefine", vm.name, ...(firmware === "uefi" ? ["--nvram"] : []));
    expect(await look(vm)).toMatchObject({ power: "missing", findings: [{ code: "DEFINITION_GONE" }] });
    expect((await refusalOf(testbed.call("start_vm", { vm: vm.uuid }))).next).toBe("repair_vm");
    await testbed.call("repair_vm", { vm: vm.uuid, action: "put_back" });
    expect(await look(vm)).toEqual(before);
    expect(await testbed.xml(vm.name)).toBe(xml);
  });

  test("is defined again as it was created where nothing was done to it since", async () => {
    const vm = await testbed.create("fresh", { iso_path: testbed.iso(isos.resets) });
    const before = await look(vm);
    await testbed.virsh("undefine", vm.name);
    await testbed.call("repair_vm", { vm: vm.uuid, action: "put_back" });
    expect(await look(vm)).toEqual(before);
  });

  test("is put back from any definition that was kept", async () => {
    const vm = await testbed.create("kept");
    await testbed.call("set_boot_order", { vm: vm.uuid, boot_order: "hd_cdrom" });
    await testbed.call("set_boot_order", { vm: vm.uuid, boot_order: "cdrom_hd" });
    const { definitions } = await testbed.call("list_definitions", { vm: vm.uuid });
    expect(definitions.map(({ boot_order }) => boot_order)).toEqual(["hd_cdrom", "cdrom_hd"]);
    await testbed.virsh("undefine", vm.name);
    const back = await testbed.call("restore_definition", { vm: vm.uuid, operation: definitions[0]!.operation });
    expect(back.vm).toMatchObject({ power: "off", boot_order: "hd_cdrom" });
    expect(codesOf(await look(vm))).not.toContain("BOOT_ORDER_DRIFT");
  });
});

describe("A domain that another program cloned, metadata and all", () => {
  test("is told apart from the original, and is taken as a VM of its own", async () => {
    const { vm } = await installedSince("original");
    const clone = testbed.name("clone");
    const uuid = crypto.randomUUID();
    const xml = (await testbed.xml(vm.name))
      .replace(`<name>${vm.name}<`, `<name>${clone}<`)
      .replace(`<uuid>${vm.uuid}<`, `<uuid>${uuid}<`)
      .replaceAll(/<mac address='[^']*'\/>/g, "");
    await testbed.define(xml);
    expect(codesOf(await testbed.call("get_vm", { vm: clone }))).toContain("CLAIM_FOREIGN");
    expect(codesOf(await look(vm))).not.toContain("CLAIM_FOREIGN");
    await testbed.call("adopt_vm", { vm: clone });
    expect(await testbed.call("get_vm", { vm: clone })).toMatchObject({
      managed: true,
      installation_status: "NotInstalled",
    });
    expect(tagIn(await testbed.xml(clone))).toContain(uuid);
  });
});

describe("A database that was lost", () => {
  test("is rebuilt from the tags in the domains, and knows again what may be deleted", async () => {
    const own = await openTestbed();
    try {
      const vm = await own.installed("lost");
      await own.call("complete_installation", { vm: vm.uuid });
      await own.server.close();
      await rename(join(own.directory, "data"), join(own.directory, "gone"));
      const server = await openClient({
        settings: [
          ...["--data", join(own.directory, "data"), "--images", join(own.directory, "images")],
          ...["--iso-dir", join(own.directory, "isos"), "--connection", "local=libvirt"],
        ],
        confirm: () => true,
      });
      try {
        const lost = await server.call("get_vm", { vm: vm.uuid });
        expect(lost.managed).toBe(false);
        expect(codesOf(lost)).toContain("RECORD_MISSING");
        const { rebuilt } = await server.call("rebuild_database");
        expect(rebuilt).toContainEqual({ vm: vm.uuid, name: vm.name, installation_status: "Installed" });
        // Other tests' VMs have no record here either: what is not this test's is left to them.
        expect(await server.call("get_vm", { vm: vm.uuid })).toMatchObject({
          managed: true,
          installation_status: "Installed",
        });
        await server.call("delete_vm", { vm: vm.uuid });
        await expect(stat(vm.disk_path)).rejects.toThrow("ENOENT");
      } finally {
        await server.close();
      }
    } finally {
      await own.close();
      await rm(own.directory, { recursive: true, force: true });
    }
  });
});
