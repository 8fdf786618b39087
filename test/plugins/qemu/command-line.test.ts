import { describe, expect, it } from "vitest";
import { commandLine, macOf } from "../../../plugins/qemu/command-line.ts";
import { changed, newDefinition } from "../../../plugins/qemu/definition.ts";
import type { UefiFirmware } from "../../../plugins/qemu/firmware.ts";
import { pathsOf } from "../../../plugins/qemu/vm-paths.ts";
import { targetsFor, type VmSpec } from "../../../src/domain/changes/lifecycle.ts";
import { uuid, vmSpec } from "../../support/world.ts";

const place = pathsOf("/srv/vms", uuid);
const firmware: UefiFirmware = {
  code: "/fw/code, new.fd",
  codeFormat: "raw",
  variables: "/fw/vars.fd",
  variablesFormat: "raw",
  needsSmm: false,
};
const line = (more: Partial<VmSpec> = {}, uefi?: UefiFirmware) =>
  commandLine(newDefinition(vmSpec(more), "tcg"), { paths: place, firmware: uefi });
/** The values of an option, in order. */
const valuesOf = (args: readonly string[], option: string) =>
  args.flatMap((arg, index) => (arg === option ? [args[index + 1]!] : []));
const device = (args: readonly string[], name: string) => valuesOf(args, "-device").find((one) => one.startsWith(name));
const nodes = (args: readonly string[]) => valuesOf(args, "-blockdev").map((text) => JSON.parse(text));

describe("commandLine()", () => {
  it("leaves out whatever the host or the user would add", () => {
    expect(line()).toEqual(expect.arrayContaining(["-no-user-config", "-nodefaults", "-daemonize"]));
  });
  it.each([
    [
      "cdrom_hd",
      "virtio-blk-pci,bus=pcie.0,addr=0x10,drive=disk-vda,id=vda,bootindex=2",
      "ide-cd,bus=ide.0,id=sda,bootindex=1",
    ],
    [
      "hd_cdrom",
      "virtio-blk-pci,bus=pcie.0,addr=0x10,drive=disk-vda,id=vda,bootindex=1",
      "ide-cd,bus=ide.0,id=sda,bootindex=2",
    ],
    ["hd", "virtio-blk-pci,bus=pcie.0,addr=0x10,drive=disk-vda,id=vda,bootindex=1", "ide-cd,bus=ide.0,id=sda"],
    ["cdrom", "virtio-blk-pci,bus=pcie.0,addr=0x10,drive=disk-vda,id=vda", "ide-cd,bus=ide.0,id=sda,bootindex=1"],
  ] as const)("turns the boot order %s into boot indexes, and tries no other device", (order, disk, drive) => {
    const args = line({ order });
    expect([device(args, "virtio-blk"), device(args, "ide-cd")]).toEqual([disk, drive]);
    expect(valuesOf(args, "-boot")).toEqual(["strict=on,reboot-timeout=10000"]);
    expect(valuesOf(args, "-device").filter((one) => one.includes("bootindex")).length).toBe(order.split("_").length);
  });
  it("puts each disk on its bus, and SATA devices on the port that their target names", () => {
    const sata = line({ diskBus: "sata", ...targetsFor("sata") });
    expect([device(sata, "ide-hd"), device(sata, "ide-cd")]).toEqual([
      expect.stringContaining("bus=ide.0,"),
      expect.stringContaining("bus=ide.1,"),
    ]);
    const scsi = line({ diskBus: "scsi", ...targetsFor("scsi") });
    expect(device(scsi, "scsi-hd")).toContain("bus=scsi.0,");
    expect(device(scsi, "virtio-scsi-pci")).toBeDefined();
  });
  it("gives a drive the medium that is in it, read-only, and an empty one none", () => {
    const full = line({ isoPath: "/isos/a,b.iso" });
    expect(device(full, "ide-cd")).toContain("drive=medium-sda");
    expect(nodes(full).find((node) => node["node-name"] === "medium-sda")).toEqual({
      driver: "raw",
      "node-name": "medium-sda",
      "read-only": true,
      file: { driver: "file", filename: "/isos/a,b.iso" },
    });
    expect(device(line(), "ide-cd")).not.toContain("drive=");
  });
  it("writes a comma in a path twice where QEMU reads a list of options", () => {
    const args = line({ serialLog: "/logs/a,b.log" });
    expect(valuesOf(args, "-chardev").find((one) => one.includes("id=com1"))).toContain("logfile=/logs/a,,b.log,");
  });
  it("gives UEFI its code and the VM's own variables, and nothing more to a BIOS", () => {
    const args = line({ firmware: "uefi" }, firmware);
    expect(nodes(args).slice(0, 2)).toMatchObject([
      { "node-name": "firmware-code", "read-only": true, file: { filename: firmware.code } },
      { "node-name": "firmware-variables", "read-only": false, file: { filename: place.variables } },
    ]);
    expect(valuesOf(args, "-machine")[0]).toBe("q35,accel=tcg,pflash0=firmware-code,pflash1=firmware-variables");
    expect(valuesOf(line(), "-machine")).toEqual(["q35,accel=tcg"]);
  });
  it("keeps Secure Boot's variables to system management mode", () => {
    const args = line({ firmware: "uefi_secure" }, { ...firmware, needsSmm: true });
    expect(valuesOf(args, "-machine")[0]).toContain("smm=on");
    expect(valuesOf(args, "-global")).toContain("driver=cfi.pflash01,property=secure,value=on");
  });
  it("has a network only where one is wanted, with the same address at every start", () => {
    expect(line({ network: "none" }).join(" ")).not.toContain("netdev");
    expect(device(line(), "virtio-net")).toContain(`mac=${macOf(uuid)}`);
    expect(macOf(uuid)).toMatch(/^52:54:00(:[0-9a-f]{2}){3}$/);
  });
  it("lets the network have its place in a boot order that names it", () => {
    const definition = changed(newDefinition(vmSpec(), "tcg"), {
      boot: {
        style: "os",
        entries: [
          { device: "class:hd", order: 1 },
          { device: "class:network", order: 2 },
        ],
      },
    });
    const args = commandLine(definition, { paths: place });
    expect(device(args, "virtio-net")).toContain("bootindex=2");
  });
  it("keeps every device in its place on the bus, whatever else there is", () => {
    const place = (args: readonly string[], name: string) => /addr=0x\w+/.exec(device(args, name) ?? "")?.[0];
    const [bare, full] = [line({ network: "none" }), line({ tpm: true, diskBus: "scsi", ...targetsFor("scsi") })];
    for (const name of ["VGA", "virtio-serial-pci", "qemu-xhci", "virtio-rng-pci", "virtio-balloon-pci"])
      expect(place(full, name)).toBe(place(bare, name));
    const places = valuesOf(full, "-device").flatMap((one) => /addr=0x\w+/.exec(one) ?? []);
    expect(new Set(places).size).toBe(places.length);
  });
  it("has a TPM only where one is wanted", () => {
    expect(device(line({ tpm: true }), "tpm-crb")).toBeDefined();
    expect(device(line(), "tpm-crb")).toBeUndefined();
  });
  it("counts memory in whole KiB, rounded up", () => {
    expect(valuesOf(line({ memoryBytes: 64 * 1024 ** 2 + 1 }), "-m")).toEqual(["size=65537k"]);
  });
});
