// @module-tag process
import { describe, expect, it } from "vitest";
import { foreign, openHarness, seedOf, uuid } from "./harness.ts";

describe("create_vm", () => {
  const { call, refused } = openHarness();

  it("makes a VM that is off, with an empty disk, the ISO in its drive, and the order that boots it", async () => {
    const made = await call("create_vm", { name: "web", iso_path: "installer.iso" });
    expect(made).toMatchObject({
      changed: true,
      takes_effect: "now",
      steps: [expect.stringContaining("create a 20 GiB qcow2 disk"), "define VM web with boot order cdrom_hd"],
      next_steps: [{ tool: "start_vm", arguments: { vm: made.vm.uuid } }],
    });
    expect(await call("get_vm", { vm: "web" })).toMatchObject({
      managed: true,
      power: "off",
      installation_status: "NotInstalled",
      boot_order: "cdrom_hd",
      boot_from_disk: false,
      current_media: "/memory/isos/installer.iso",
      disk_size: 20,
      memory_mb: 2048,
      cpus: 2,
      firmware: "bios",
    });
    expect(await call("get_disk_info", { vm: "web" })).toMatchObject({
      content: "blank",
      size_gb: 20,
      format: "qcow2",
    });
  });

  it("makes the VM with every setting that it is given", async () => {
    const given = {
      disk_size_gb: 7.5,
      memory_mb: 512,
      cpus: 1,
      firmware: "uefi",
      boot_order: "hd_cdrom",
      disk_bus: "sata",
    };
    const { vm } = await call("create_vm", { name: "told", ...given, network: "network:lan.0", tpm: true });
    expect(vm).toMatchObject({ disk_size: 7.5, memory_mb: 512, cpus: 1, firmware: "uefi", boot_order: "hd_cdrom" });
    expect((await call("get_boot_order", { vm: "told" })).devices).toEqual(["disk:sda", "cdrom:sdb"]);
  });

  it("without an ISO says that one is to be attached", async () => {
    const { vm, next_steps } = await call("create_vm", { name: "bare" });
    expect(vm).not.toHaveProperty("current_media");
    expect(next_steps[0]).toMatchObject({ tool: "attach_iso", arguments: { vm: vm.uuid } });
  });

  it("in a dry run says the steps and the findings, and makes nothing", async () => {
    const before = await call("list_vms");
    const dry = await call("create_vm", { name: "dry", iso_path: "drivers.iso", dry_run: true });
    expect(dry).toMatchObject({ changed: true, dry_run: true, vm: { name: "dry", power: "off" } });
    expect(dry.steps).toHaveLength(2);
    expect(dry.vm.findings.map(({ code }) => code)).toContain("ISO_NOT_BOOTABLE");
    expect(dry).not.toHaveProperty("operation");
    expect(await call("list_vms")).toEqual(before);
  });

  it("refuses a name that is taken, and says by which", async () => {
    const { vm } = await call("create_vm", { name: "taken" });
    const { details } = await refused("VM_EXISTS", "create_vm", { name: "taken" });
    expect(details).toEqual({ name: "taken", connection: "local", uuid: vm.uuid });
  });

  const names = [
    "",
    " ",
    "a b",
    "-a",
    ".a",
    "a/b",
    "../a",
    "a\0b",
    "<a/>",
    "a&b",
    "a'b",
    'a"b',
    "a;b",
    "$(a)",
    "`a`",
    "a\nb",
    "é",
    "x".repeat(65),
  ];
  it.each(names)("refuses the name %j", async (name) => {
    const { details } = await refused("INPUT_INVALID", "create_vm", { name });
    expect((details.issues as string[]).join()).toMatch(/^name: /);
  });

  it.each(["a", "1", "A.b_c-d", "x".repeat(64), "123"])("takes the name %j", async (name) => {
    expect((await call("create_vm", { name })).vm.name).toBe(name);
  });

  const sizes: [Record<string, unknown>, RegExp][] = [
    [{ disk_size_gb: 0 }, /disk_size_gb/],
    [{ disk_size_gb: -20 }, /disk_size_gb/],
    [{ disk_size_gb: 0.3 }, /disk_size_gb/],
    [{ disk_size_gb: 65_537 }, /disk_size_gb: .*65536/],
    [{ disk_size_gb: "20" }, /disk_size_gb: .*expected number, received string/],
    [{ memory_mb: 0 }, /memory_mb: .*64/],
    [{ memory_mb: 512.5 }, /memory_mb/],
    [{ cpus: 0 }, /cpus/],
    [{ cpus: 513 }, /cpus: .*512/],
    [{ firmware: "efi" }, /firmware: .*bios.*uefi/],
    [{ network: "bridge:a b" }, /network/],
    [{ boot_order: "network" }, /boot_order: .*cdrom_hd/],
    [{ boot_order: "custom" }, /boot_order/],
  ];
  it.each(sizes)("refuses %j and says what would do", async (args, message) => {
    expect((await refused("INPUT_INVALID", "create_vm", { name: "new", ...args })).message).toMatch(message);
  });

  const tooLarge: [Record<string, unknown>, "HOST_TOO_SMALL" | "HOST_SPACE_LACKING", RegExp][] = [
    [{ memory_mb: 65_537 }, "HOST_TOO_SMALL", /memory_mb 65537: .* has 65536/],
    [{ cpus: 257 }, "HOST_TOO_SMALL", /cpus 257/],
    [{ disk_size_gb: 1025 }, "HOST_SPACE_LACKING", /1025 GiB large: .* 1024 GiB/],
  ];
  it.each(tooLarge)("refuses %j, which is larger than the host", async (args, code, message) => {
    expect((await refused(code, "create_vm", { name: "new", ...args })).message).toMatch(message);
  });
});

describe("list_vms", () => {
  const { call } = openHarness({ local: seedOf(foreign(1, "web"), foreign(2, "mail", { running: true })) });

  it("lists those that are managed and those that are not, sorted, and either kind alone", async () => {
    await call("create_vm", { name: "own" });
    const namesOf = async (args: object) => (await call("list_vms", { ...args })).vms.map(({ name }) => name);
    expect(await namesOf({})).toEqual(["mail", "own", "web"]);
    expect(await namesOf({ managed: true })).toEqual(["own"]);
    expect(await namesOf({ managed: false })).toEqual(["mail", "web"]);
    const { vms, total } = await call("list_vms", { limit: 1 });
    expect([vms.length, total]).toEqual([1, 3]);
  });
});

describe("adopt_vm", () => {
  const seed = seedOf(
    foreign(1, "web"),
    foreign(2, "mail"),
    foreign(3, "passing", { running: true }),
    foreign(4, "last"),
  );
  const transient = {
    ...seed,
    vms: seed.vms!.map((vm) => (vm.name === "passing" ? { ...vm, persistent: false } : vm)),
  };
  const { call, refused } = openHarness({ local: transient });

  it("wants one VM or all, not both and not neither", async () => {
    for (const args of [{}, { vm: "web", all: true }]) {
      expect((await refused("INPUT_INVALID", "adopt_vm", args)).message).toContain("either vm or all: true");
    }
  });

  it("in a dry run changes nothing", async () => {
    const { adopted } = await call("adopt_vm", { vm: "web", dry_run: true });
    expect(adopted).toMatchObject([
      { changed: true, dry_run: true, steps: [expect.any(String), "take the VM under management"] },
    ]);
    expect((await call("get_vm", { vm: "web" })).managed).toBe(false);
  });

  it("takes one VM with what it has, and the second time has nothing to do", async () => {
    const before = await call("get_vm", { vm: "web" });
    const { adopted } = await call("adopt_vm", { vm: "web" });
    expect(adopted[0]).toMatchObject({ changed: true, next_steps: [{ tool: "complete_installation" }] });
    expect(await call("get_vm", { vm: "web" })).toEqual({
      ...before,
      managed: true,
      installation_status: "NotInstalled",
    });
    expect((await call("adopt_vm", { vm: "web" })).adopted[0]).toMatchObject({ changed: false, steps: [] });
  });

  it("refuses a VM that is gone once it is off", async () => {
    await refused("VM_TRANSIENT", "adopt_vm", { vm: "passing" });
  });

  it("takes all that can be taken, and says of the others why not", async () => {
    const { adopted, refused: rest } = await call("adopt_vm", { all: true });
    expect(adopted.map(({ vm }) => vm.name)).toEqual(["last", "mail"]);
    expect(rest).toEqual([{ vm: "passing", reason: expect.stringMatching(/^VM_TRANSIENT: /) }]);
    expect((await call("adopt_vm", { all: true })).adopted).toEqual([]);
  });
});

describe("delete_vm", () => {
  const { call, refused, outside } = openHarness({ local: seedOf(foreign(1, "adopted"), foreign(2, "gone")) });
  const remove = async (args: Record<string, unknown>) => {
    const { details } = await refused("CONFIRMATION_REQUIRED", "delete_vm", args);
    return { losses: details.losses as string[], done: await call("delete_vm", { ...args, confirm: details.confirm }) };
  };

  it("lists what will be gone, and removes just that", async () => {
    const { vm } = await call("create_vm", { name: "web", iso_path: "installer.iso" });
    const dry = await call("delete_vm", { vm: "web", dry_run: true });
    expect(dry.would_lose).toEqual(["the definition of VM web", expect.stringContaining(vm.disk_path!)]);
    expect((await call("get_vm", { vm: "web" })).power).toBe("off");
    const { losses, done } = await remove({ vm: "web" });
    expect(losses).toEqual(dry.would_lose);
    expect(done).toMatchObject({ changed: true, vm: { managed: false, power: "missing" } });
    await refused("VM_NOT_FOUND", "get_vm", { vm: "web" });
    const isos = (await call("list_isos")).isos.map(({ name }) => name);
    expect(isos).toContain("installer.iso");
  });

  it("keeps the disk if asked to", async () => {
    await call("create_vm", { name: "kept" });
    expect((await remove({ vm: "kept", keep_files: true })).losses).toEqual(["the definition of VM kept"]);
  });

  it("keeps an adopted VM's disk", async () => {
    await call("adopt_vm", { vm: "adopted" });
    const { losses, done } = await remove({ vm: "adopted" });
    expect(losses).toEqual(["the definition of VM adopted"]);
    expect(done.steps).toEqual(["remove the VM's definition"]);
  });

  it("refuses a VM that is running, unless its power may be cut", async () => {
    await call("create_vm", { name: "busy", iso_path: "installer.iso" });
    await call("start_vm", { vm: "busy" });
    expect((await refused("VM_MUST_BE_OFF", "delete_vm", { vm: "busy" })).next).toBe("stop_vm");
    const { losses, done } = await remove({ vm: "busy", force: true });
    expect(losses[0]).toContain("the running guest's memory");
    expect(done.steps[0]).toBe("cut the power");
  });

  it("clears the record of a VM that another program removed", async () => {
    await call("adopt_vm", { vm: "gone" });
    outside(["undefineVm", uuid(2)]);
    expect(await call("get_vm", { vm: "gone" })).toMatchObject({ managed: true, power: "missing" });
    expect((await refused("VM_GONE", "check_boot", { vm: "gone" })).message).toContain("gone");
    expect(await call("delete_vm", { vm: "gone" })).toMatchObject({ changed: true });
    await refused("VM_NOT_FOUND", "get_vm", { vm: "gone" });
  });
});
