// @module-tag process
import { describe, expect, it } from "vitest";
import { foreign, openHarness, seedOf, uuid } from "./harness.ts";

const perVm = [
  ["get_vm", {}],
  ["start_vm", {}],
  ["stop_vm", {}],
  ["restart_vm", {}],
  ["delete_vm", {}],
  ["adopt_vm", {}],
  ["get_boot_order", {}],
  ["set_boot_order", { boot_order: "hd" }],
  ["check_boot", {}],
  ["attach_iso", { iso_path: "live.iso" }],
  ["detach_iso", {}],
  ["get_installation_status", {}],
  ["complete_installation", {}],
  ["fail_installation", {}],
  ["begin_reinstallation", {}],
  ["cancel_installation", {}],
  ["get_disk_info", {}],
  ["resize_disk", { size_gb: 30 }],
] as const;

describe("a VM", () => {
  const { call, refused } = openHarness({
    local: seedOf(foreign(1, "web"), foreign(2, "mail"), foreign(3, "only-here")),
    lab: seedOf(foreign(4, "web"), foreign(5, "local")),
  });

  it.each(perVm)("that there is not is refused by %s with the names there are, nearest first", async (tool, args) => {
    const { details, hint, next } = await refused("VM_NOT_FOUND", tool, { vm: "mial", ...args });
    expect(details).toMatchObject({ vm: "mial", known: expect.arrayContaining(["local/mail", "lab/web"]) });
    expect(hint).toMatch(/^Known VMs, nearest first: local\/mail,/);
    expect(next).toBe("list_vms");
  });

  it.each(perVm)("whose name two connections have is refused by %s with both", async (tool, args) => {
    const { details, hint } = await refused("VM_AMBIGUOUS", tool, { vm: "web", ...args });
    expect(details).toEqual({ vm: "web", candidates: ["lab/web", "local/web"] });
    expect(hint).toContain("lab/web, local/web");
  });

  const found: [string, string, string][] = [
    ["by a name that is only there once", "only-here", uuid(3)],
    ["by connection and name", "lab/web", uuid(4)],
    ["by connection and UUID", `lab/${uuid(4)}`, uuid(4)],
    ["by UUID", uuid(1), uuid(1)],
    ["by UUID in capital letters", "00000000-0000-4000-8000-00000000000A".replace("A", "1"), uuid(1)],
    ["when it is named as a connection is", "local", uuid(5)],
  ];
  it.each(found)("is found %s", async (_how, vm, expected) => {
    expect((await call("get_vm", { vm })).uuid).toBe(expected);
  });

  it.each(["lab/mail", "nowhere/web", "local/", "/web", "lab/lab/web", uuid(9), "WEB"])(
    "is not found as %s",
    async (vm) => {
      await refused("VM_NOT_FOUND", "get_vm", { vm });
    },
  );

  const managing = perVm.filter(([tool]) => !tool.startsWith("get_") && tool !== "adopt_vm" && tool !== "check_boot");
  it.each([...managing, ["get_installation_status", {}] as const])(
    "that is not managed is refused by %s, which names the way in",
    async (tool, args) => {
      const { message, next } = await refused("VM_NOT_MANAGED", tool, { vm: "mail", ...args });
      expect(message).toContain('"mail"');
      expect(next).toBe("adopt_vm");
    },
  );

  it("that is not managed can be looked at", async () => {
    expect(await call("get_vm", { vm: "mail" })).toMatchObject({
      managed: false,
      boot_order: "hd",
      disk_path: "/memory/images/mail.qcow2",
    });
    expect(await call("check_boot", { vm: "mail" })).toMatchObject({ cold_start: { boots: "hd" } });
    expect(await call("get_boot_order", { vm: "mail" })).toMatchObject({ boot_order: "hd", devices: ["disk:vda"] });
    expect(await call("get_disk_info", { vm: "mail" })).toMatchObject({ state: "ok", content: "data" });
  });

  it("may have a name that no VM of Bootwright's could have, and is not found by one with other characters", async () => {
    for (const vm of ["<web/>", "web; rm -rf /", "../web", "web\nmail", "web'\"`$(x)", "​"])
      await refused("VM_NOT_FOUND", "get_vm", { vm });
    for (const vm of ["", "x".repeat(201), 7, null, ["web"]]) await refused("INPUT_INVALID", "get_vm", { vm });
  });
});

describe("a connection", () => {
  const { call, refused } = openHarness({ local: seedOf(foreign(1, "web")), lab: seedOf(foreign(2, "mail")) });

  it.each(["list_vms", "list_isos", "create_vm", "adopt_vm"] as const)(
    "that there is not is refused by %s",
    async (tool) => {
      const more = tool === "create_vm" ? { name: "new" } : tool === "adopt_vm" ? { all: true } : {};
      const { details } = await refused("CONNECTION_NOT_FOUND", tool, { connection: "lba", ...more });
      expect(details).toEqual({ connection: "lba", known: expect.arrayContaining(["local", "lab"]) });
    },
  );

  it("has its own VMs and ISOs", async () => {
    expect((await call("list_vms", { connection: "lab" })).vms.map(({ name }) => name)).toEqual(["mail"]);
    const { vm } = await call("create_vm", { name: "new", connection: "lab", iso_path: "live.iso" });
    expect(vm.connection).toBe("lab");
    const holders = async (connection: string) =>
      (await call("list_isos", { connection, search: "live" })).isos.map(({ used_by }) => used_by);
    expect(await holders("lab")).toEqual([["new"]]);
    expect(await holders("local")).toEqual([[]]);
  });

  it("is the first of those configured where none is named", async () => {
    expect((await call("create_vm", { name: "here" })).vm.connection).toBe("local");
  });
});

describe("a connection that cannot be reached", () => {
  const { call, refused, server } = openHarness({ local: seedOf(foreign(1, "web")) }, [
    ...["--connection", "far=libvirt,uri=qemu:///system?socket=/no/such/socket"],
  ]);

  it("is named beside the VMs of those that can", async () => {
    const { vms, unreachable } = await call("list_vms");
    expect(vms.map(({ name }) => name)).toEqual(["web"]);
    expect(unreachable).toEqual([{ connection: "far", reason: expect.stringContaining("/no/such/socket") }]);
  });

  it("does not keep VMs elsewhere from being found, and is named when one is not", async () => {
    expect((await call("get_vm", { vm: "web" })).uuid).toBe(uuid(1));
    const { hint } = await refused("VM_NOT_FOUND", "get_vm", { vm: "wbe" });
    expect(hint).toBe("Known VMs, nearest first: local/web. Unreachable, so not searched: far");
  });

  it("is BACKEND_UNAVAILABLE where it is asked for by name", async () => {
    await refused("BACKEND_UNAVAILABLE", "get_vm", { vm: "far/web" });
    expect(await server().refusal("create_vm", { name: "new", connection: "far" })).toMatchObject({
      code: "BACKEND_UNAVAILABLE",
    });
  });
});
