import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { deviceXml, nextDriveTarget } from "../../../../plugins/libvirt/domain-xml.ts";
import { canonical } from "../canonical.ts";

const fixture = (name: string) => readFileSync(new URL(`../fixtures/${name}.xml`, import.meta.url), "utf8");

describe("deviceXml()", () => {
  const live = `<domain type='kvm' id='3'><os><type machine='q35'>hvm</type></os><devices><disk type='file' device='cdrom'>
    <driver name='qemu' type='raw'/><source file='/a.iso' startupPolicy='optional' index='2'/><backingStore/>
    <target dev='sda' bus='sata' tray='open'/><serial>CD</serial><boot order='1'/><alias name='ua-cd'/>
    <address type='drive' controller='0' bus='0' target='0' unit='0'/></disk></devices></domain>`;

  test("gives the current element with only the asked changes", () => {
    const xml = deviceXml(fixture("host-device-first.in"), "cdrom", "sda", { boot: 5, media: "/b.iso" });
    expect(
      canonical(xml)
        .split("\n")
        .filter((line) => !line.startsWith("/")),
    ).toEqual([
      'disk device="cdrom" type="file"',
      'driver name="qemu" type="raw"',
      'source file="/b.iso" startupPolicy="optional"',
      'target bus="sata" dev="sda"',
      "readonly",
      "serial",
      'text "CD0012"',
      'boot order="5"',
      'alias name="ua-cd"',
      'address bus="0" controller="0" target="0" type="drive" unit="0"',
    ]);
  });

  test("takes number and medium away", () => {
    const xml = deviceXml(fixture("host-device-first.in"), "cdrom", "sda", { boot: false, media: false });
    expect(xml).not.toContain("<boot");
    expect(xml).toContain('<source startupPolicy="optional"/>');
  });

  test("keeps I/O limits of a disk", () => {
    const xml = deviceXml(fixture("host-device-first.in"), "disk", "vda", { boot: false });
    expect(xml).toContain("<total_iops_sec>500</total_iops_sec>");
    expect(xml).not.toContain("<boot");
  });

  test("leaves out what only a running device has, and keeps its boot number", () => {
    const xml = deviceXml(live, "cdrom", "sda", { media: "/b.iso" });
    expect(xml).toContain('<source file="/b.iso" startupPolicy="optional"/>');
    expect(xml).toContain('<boot order="1"/>');
    for (const gone of ["index", "backingStore", "tray"]) expect(xml).not.toContain(gone);
    expect(() => deviceXml(live, "cdrom", "sda", { boot: 2 })).toThrow("live");
  });

  test("leaves out the empty source of an ejected medium", () => {
    expect(deviceXml(live.replace(/file='\/a.iso' startupPolicy='optional' /, ""), "cdrom", "sda")).not.toContain(
      "<source",
    );
  });

  test("turns a drive on a host device or on network storage into one on a file", () => {
    const block = live
      .replace("type='file' device", "type='block' device")
      .replace("file='/a.iso' startupPolicy='optional'", "dev='/dev/sr0'");
    expect(deviceXml(block, "cdrom", "sda", { media: "/b.iso" })).toMatch(
      /type="file"[\s\S]*<source file="\/b.iso"\/>/,
    );
    expect(deviceXml(block, "cdrom", "sda", { media: false })).not.toContain("<source");
  });

  test("refuses a device that is not there", () => {
    expect(() => deviceXml(live, "disk", "sda")).toThrow('disk "sda"');
  });
});

describe("nextDriveTarget()", () => {
  const machine = (name: string, devices: string) =>
    `<domain><os><type machine='${name}'>hvm</type></os><devices>${devices}</devices></domain>`;
  const disk = (target: string, bus: string, address = "") =>
    `<disk device='disk'><target dev='${target}' bus='${bus}'/>${address}</disk>`;

  test.each([
    ["pc-q35-7.2", disk("vda", "virtio"), "sda", "sata"],
    ["pc-q35-7.2", disk("sda", "scsi") + disk("sdc", "sata"), "sdb", "sata"],
    ["q35", disk("sdz", "sata", "<address type='drive' controller='0' bus='0' target='0' unit='0'/>"), "sdb", "sata"],
    ["pc-i440fx-7.2", disk("hda", "ide"), "hdb", "ide"],
    ["pc", ["hda", "hdb", "hdc", "hdd"].map((target) => disk(target, "ide")).join(""), "sda", "scsi"],
    ["virt", disk("vda", "virtio"), "sda", "scsi"],
  ])("finds a place on %s with %s", (name, devices, target, bus) => {
    expect(nextDriveTarget(machine(name, devices))).toEqual({ target, bus });
  });
});
