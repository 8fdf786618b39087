import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { parseDomain, targetOfAlias } from "../../../../plugins/libvirt/domain-xml.ts";

const fixture = (name: string) => readFileSync(new URL(`../fixtures/${name}.xml`, import.meta.url), "utf8");
const uuid = "3d1a8a52-0b3b-4d5e-9f1a-6f2f5d8c7e10";

describe("parseDomain()", () => {
  const domain = (inner: string, os = "<type arch='x86_64' machine='pc-q35-7.2'>hvm</type>") =>
    parseDomain(
      `<domain type='kvm' id='3'><name>x</name><uuid>u</uuid><memory>64</memory><vcpu>1</vcpu><os>${os}</os><devices>${inner}</devices></domain>`,
    );
  const disk = (target: string, bus: string, device = "disk") =>
    `<disk type='file' device='${device}'><source file='/${target}'/><target dev='${target}' bus='${bus}'/></disk>`;

  test("reads a definition that libvirt wrote", () => {
    expect(parseDomain(fixture("host-device-first.in"))).toEqual({
      uuid,
      name: "everything",
      type: "qemu",
      machine: "pc-q35-7.2",
      definition: {
        firmware: "bios",
        machine: "q35",
        memoryBytes: 262_144 * 1024,
        cpus: 2,
        disks: [
          {
            target: "vda",
            bus: "virtio",
            path: "/srv/images/d.qcow2",
            format: "qcow2",
            readOnly: false,
            shareable: false,
          },
        ],
        drives: [
          { target: "sda", bus: "sata", path: "/srv/iso/a & b.iso", tray: "closed" },
          { target: "sdb", bus: "sata", tray: "closed" },
        ],
        boot: {
          style: "device",
          entries: [
            { device: "hostdev:0", order: 1 },
            { device: "cdrom:sda", order: 2 },
            { device: "disk:vda", order: 3 },
            { device: "network:52:54:00:00:00:01", order: 4 },
            { device: "redirdev:0", order: 7 },
          ],
        },
        directKernel: false,
        serialLog: "/srv/log/serial.log",
      },
    });
  });

  test("says whether the agent's channel is open, where there is one", () => {
    const channel = (name: string, state = "") =>
      `<channel type='unix'><target type='virtio' name='${name}'${state && ` state='${state}'`}/></channel>`;
    const agent = "org.qemu.guest_agent.0";
    expect(domain(channel("com.redhat.spice.0", "connected"))).not.toHaveProperty("agent");
    expect(domain(channel(agent)).agent).toBe(false);
    expect(domain(channel("com.redhat.spice.0", "connected") + channel(agent, "disconnected")).agent).toBe(false);
    expect(domain(channel(agent, "connected")).agent).toBe(true);
  });

  // The order in which virDomainDiskInsert leaves this list, tried on libvirt 9.0.
  test("sorts disks as libvirt does: by bus as first named, then by target", () => {
    const { definition } = domain(
      disk("sdb", "sata", "cdrom") +
        disk("vdb", "virtio") +
        disk("sda", "sata") +
        disk("vda", "virtio") +
        disk("sdc", "usb") +
        disk("sdaa", "scsi") +
        disk("sdd", "scsi") +
        disk("fda", "fdc", "floppy"),
    );
    expect(definition.disks.map(({ target }) => target)).toEqual(["sda", "vda", "vdb", "sdc", "sdd", "sdaa"]);
    expect(definition.drives.map(({ target }) => target)).toEqual(["sdb"]);
  });

  test("takes a LUN for a disk, and a block device for its path", () => {
    const lun =
      "<disk type='block' device='lun'><source dev='/dev/sdx'/><target dev='sda' bus='scsi'/><shareable/></disk>";
    expect(domain(lun).definition.disks).toEqual([
      { target: "sda", bus: "scsi", path: "/dev/sdx", readOnly: false, shareable: true },
    ]);
  });

  test("takes network storage for a disk without a path, and no backing file for the disk's own", () => {
    const remote =
      "<disk type='network' device='disk'><source protocol='rbd' name='p/i'/><target dev='vda' bus='virtio'/></disk>";
    const chain =
      "<disk type='file' device='disk'><backingStore type='file'><source file='/base'/></backingStore><target dev='vdb' bus='virtio'/></disk>";
    expect(domain(remote + chain).definition.disks.map(({ path }) => path)).toEqual([undefined, undefined]);
  });

  test("reads the tray of a running domain", () => {
    const open =
      "<disk type='file' device='cdrom'><source file='/a.iso' index='1'/><target dev='sda' bus='sata' tray='open'/></disk>";
    const ejected = "<disk type='file' device='cdrom'><source index='6'/><target dev='sdb' bus='sata'/></disk>";
    expect(domain(open + ejected).definition.drives).toEqual([
      { target: "sda", bus: "sata", path: "/a.iso", tray: "open" },
      { target: "sdb", bus: "sata", tray: "closed" },
    ]);
  });

  test.each([
    ["<type>hvm</type>", "bios"],
    ["<type>hvm</type><loader readonly='yes' type='rom'>/usr/share/seabios/bios.bin</loader>", "bios"],
    ["<type>hvm</type><loader readonly='yes' type='rom'>/usr/share/ovmf/OVMF.fd</loader>", "uefi"],
    ["<loader readonly='yes' type='pflash'>/usr/share/OVMF/OVMF_CODE_4M.fd</loader>", "uefi"],
    ["<loader readonly='yes' secure='no' type='pflash'>/usr/share/OVMF/OVMF_CODE_4M.ms.fd</loader>", "uefi"],
    ["<loader readonly='yes' secure='yes' type='pflash'>/x.fd</loader>", "uefi_secure"],
    [
      "<loader readonly='yes' secure='yes' type='pflash'>/OVMF_CODE_4M.secboot.fd</loader><nvram template='/OVMF_VARS_4M.fd'>/n</nvram>",
      "uefi",
    ],
    [
      "<loader readonly='yes' secure='yes' type='pflash'>/OVMF_CODE_4M.ms.fd</loader><nvram template='/OVMF_VARS_4M.ms.fd'>/n</nvram>",
      "uefi_secure",
    ],
    ["<loader readonly='yes' type='pflash'>/usr/share/OVMF/OVMF_CODE_4M.ms.fd</loader>", "uefi_secure"],
  ])("reads the firmware of %s as %s", (os, firmware) => {
    expect(domain("", os).definition.firmware).toBe(firmware);
  });

  test.each([
    ["", "uefi_secure"],
    [
      "<firmware><feature enabled='no' name='enrolled-keys'/><feature enabled='no' name='secure-boot'/></firmware>",
      "uefi",
    ],
    [
      "<firmware><feature enabled='no' name='enrolled-keys'/><feature enabled='yes' name='secure-boot'/></firmware>",
      "uefi",
    ],
    ["<firmware><feature enabled='yes' name='secure-boot'/></firmware>", "uefi_secure"],
    ["<loader secure='no' type='pflash'>/OVMF_CODE_4M.fd</loader>", "uefi"],
  ])("reads firmware='efi' with %s as %s", (inside, firmware) => {
    const xml = `<domain type='kvm'><name>x</name><memory>1</memory><os firmware='efi'><type>hvm</type>${inside}</os></domain>`;
    expect(parseDomain(xml).definition.firmware).toBe(firmware);
  });

  test.each([
    ["", 65_536],
    [" unit='KiB'", 65_536],
    [" unit='k'", 65_536],
    [" unit='KB'", 64_000],
    [" unit='b'", 64],
    [" unit='bytes'", 64],
    [" unit='MB'", 64_000_000],
    [" unit='M'", 64 * 1024 ** 2],
    [" unit='GiB'", 64 * 1024 ** 3],
    [" unit='TiB'", 64 * 1024 ** 4],
  ])("reads <memory%s> in bytes", (unit, bytes) => {
    expect(parseDomain(`<domain><name>x</name><memory${unit}>64</memory><os/></domain>`).definition.memoryBytes).toBe(
      bytes,
    );
  });

  // qemuProcessPrepareDeviceBootorder overwrites the index of a class, so its last place counts.
  test("counts the last place of a class that is named twice", () => {
    const { definition } = domain("", "<type>hvm</type><boot dev='cdrom'/><boot dev='hd'/><boot dev='cdrom'/>");
    expect(definition.boot.entries.map(({ device }) => device)).toEqual(["class:hd", "class:cdrom"]);
  });

  test("gives a definition without boot entries the disk, as libvirt does", () => {
    expect(domain("").definition.boot).toEqual({ style: "os", entries: [{ device: "class:hd", order: 1 }] });
  });

  test("tells two cards with one MAC address and several host devices apart", () => {
    const card = (order: number) =>
      `<interface type='user'><mac address='52:54:00:AA:00:01'/><boot order='${order}'/></interface>`;
    const { definition } = domain(`${card(2)}${card(1)}<hostdev/><hostdev><boot order='3'/></hostdev>`);
    expect(definition.boot.entries.map(({ device }) => device)).toEqual([
      "network:52:54:00:aa:00:01#1",
      "network:52:54:00:aa:00:01",
      "hostdev:1",
    ]);
  });

  test("reads direct kernel boot and the log of the first serial line", () => {
    const { definition } = domain(
      "<serial type='pty'><log file='/l'/></serial><serial type='file'><source path='/m'/></serial>",
      "<type>hvm</type><kernel>/k</kernel>",
    );
    expect(definition).toMatchObject({ directKernel: true, serialLog: "/l" });
  });

  test("refuses what is not a domain's XML", () => {
    expect(() => parseDomain("")).toThrow(SyntaxError);
    expect(() => parseDomain("<?xml version='1.0'?><!DOCTYPE d [<!ENTITY a 'b'>]><domain/>")).toThrow("document type");
  });
});

test("targetOfAlias() finds a running domain's disk or drive by the name that events call it", () => {
  const disk = (target: string, alias: string) =>
    `<disk type='file' device='disk'><target dev='${target}' bus='virtio'/><alias name='${alias}'/></disk>`;
  const xml = `<domain><devices>${disk("vdb", "virtio-disk1")}${disk("vda", "ua-system")}</devices></domain>`;
  expect(targetOfAlias(xml, "ua-system")).toBe("vda");
  expect(targetOfAlias(xml, "virtio-disk1")).toBe("vdb");
  expect(targetOfAlias(xml, "sata0-0-0")).toBeUndefined();
});
