/** Reading while a hypervisor does not answer: what is on record is told, and that it is no more than that. */
// @module-tag process
import { describe, expect, it } from "vitest";
import { foreign, openHarness, seedOf, uuid } from "./harness.ts";

const installer = "/memory/isos/installer.iso";
const RECORDED = { stale: true, stale_since: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/) };

describe.each(["refuses", "hangs"] as const)("while a hypervisor %s", (manner) => {
  const harness = openHarness({
    local: {},
    other: seedOf(foreign(1, "theirs"), foreign(2, "twice")),
  });
  const { call, outsideOn } = harness;
  const refusal = async (tool: Parameters<typeof call>[0], args: Record<string, unknown>) =>
    harness.server().refusal(tool, args);
  const reason = manner === "hangs" ? /no answer within 5 s/ : /told to refuse/;

  it("each tool that reads says what is on record, and why it says no more", async () => {
    const { vm } = await call("create_vm", { name: "web", connection: "local", iso_path: installer, disk_size_gb: 7 });
    await call("create_vm", { name: "twice", connection: "local" });
    await call("adopt_vm", { vm: "other/theirs" });
    await call("complete_installation", { vm: "web", boot_order: "hd", accept: ["DISK_BLANK"] });
    const before = await call("get_vm", { vm: "web" });
    expect(before).not.toHaveProperty("stale");
    outsideOn("local", ["setManner", manner]);

    const why = { ...RECORDED, stale_reason: expect.stringMatching(reason) };
    const { uuid: id, disk_path } = vm;
    for (const seen of await Promise.all(["web", "local/web", id].map((ref) => call("get_vm", { vm: ref })))) {
      expect(seen).toMatchObject({
        ...why,
        name: "web",
        power: "unknown",
        installation_status: "Installed",
        boot_order: "hd",
        disk_path,
        disk_size: 7,
        current_media: installer,
      });
    }
    const [order, status, disk, { isos, ...listed }, history, text] = await Promise.all([
      call("get_boot_order", { vm: id }),
      call("get_installation_status", { vm: id }),
      call("get_disk_info", { vm: id }),
      call("list_isos", { connection: "local" }),
      call("list_operations", { vm: "web" }),
      harness.server().text("get_vm", { vm: id }),
    ]);
    expect(order).toEqual({
      vm: id,
      ...why,
      boot_order: "hd",
      requested_boot_order: "hd",
      devices: ["disk:vda"],
      other_devices: [],
    });
    expect(status).toMatchObject({ ...why, installation_status: "Installed" });
    expect(status.next_steps).toEqual([{ tool: "begin_reinstallation", arguments: { vm: id } }]);
    expect(disk).toMatchObject({
      ...why,
      disk: "vda",
      path: disk_path,
      state: "ok",
      virtual_size_bytes: 7 * 1024 ** 3,
    });
    expect(listed).toMatchObject({ stale: true, stale_reason: expect.stringMatching(reason) });
    expect(isos.find(({ path }) => path === installer)).toMatchObject({ boots_bios: true, used_by: ["web"] });
    expect(history.operations.map(({ tool }) => tool)).toEqual(["complete_installation", "create_vm"]);
    expect(text).toMatch(/web: unknown.*from the record of 2.*\nCannot reach connection "local"/);
  });

  it("what only the machine can tell is refused, with what to do", async () => {
    const refusals = await Promise.all([
      refusal("check_boot", { vm: "local/web" }),
      refusal("get_disk_info", { vm: "local/web", check: true }),
      refusal("get_disk_info", { vm: "local/web", disk: "vdb" }),
      refusal("set_boot_order", { vm: "local/web", boot_order: "hd" }),
    ]);
    for (const refused of refusals)
      expect(refused).toMatchObject({
        code: "BACKEND_UNAVAILABLE",
        message: expect.stringMatching(reason),
        hint: expect.stringMatching(/service is running/),
      });
  });

  it("the VMs of other connections are answered for, but for a name that it has on record too", async () => {
    const [{ vms, unreachable }, text, twice] = await Promise.all([
      call("list_vms"),
      harness.server().text("list_vms"),
      refusal("adopt_vm", { vm: "twice" }),
    ]);
    expect(unreachable).toEqual([{ connection: "local", reason: expect.stringMatching(reason) }]);
    expect(vms.filter(({ stale }) => stale)).toEqual([
      expect.objectContaining({ ...RECORDED, name: "twice", power: "unknown" }),
      expect.objectContaining({ ...RECORDED, name: "web", power: "unknown" }),
    ]);
    expect(vms.filter(({ connection }) => connection === "other").map(({ name, power }) => [name, power])).toEqual([
      ["theirs", "off"],
      ["twice", "off"],
    ]);
    expect(text).toMatch(/twice: unknown.*\n.*\n.*theirs: off.*\n.*\nCannot reach connection "local"/);
    expect(twice).toMatchObject({ code: "VM_AMBIGUOUS", details: { candidates: ["local/twice", "other/twice"] } });
    expect((await call("set_boot_order", { vm: "theirs", boot_order: "hd" })).vm.uuid).toBe(uuid(1));
  });

  it("it is looked at again as soon as it answers", async () => {
    outsideOn("local", ["setManner", "answers"]);
    const seen = await call("get_vm", { vm: "local/web" });
    expect(seen).toMatchObject({ power: "off" });
    expect(seen).not.toHaveProperty("stale");
  });
});
