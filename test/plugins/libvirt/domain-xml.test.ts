import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import {
  buildDomain,
  CLAIM_NAMESPACE,
  claimXml,
  type DomainSpec,
  deviceXml,
  differencesOf,
  meaningOf,
  nextDriveTarget,
  parseDomain,
  withBoot,
  withBootOrder,
  withClaim,
  withDrive,
  withMedia,
  withoutDrive,
} from "../../../plugins/libvirt/domain-xml.ts";
import { bootOrderOf } from "../../../src/plugin.ts";
import { canonical, withoutBoot } from "./canonical.ts";

const fixture = (name: string) => readFileSync(new URL(`fixtures/${name}.xml`, import.meta.url), "utf8");

/** Compares with the file, whole text. UPDATE=1 writes the file; a missing one fails. */
function expectFixture(name: string, text: string): void {
  const file = new URL(`fixtures/${name}.xml`, import.meta.url);
  if (process.env.UPDATE) writeFileSync(file, text);
  expect(existsSync(file), `missing fixture ${name}.xml (UPDATE=1 writes it)`).toBe(true);
  expect(text).toBe(readFileSync(file, "utf8"));
}

const uuid = "3d1a8a52-0b3b-4d5e-9f1a-6f2f5d8c7e10";
const claim = { uuid, revision: 7, status: "Installing" } as const;

const spec = (more: Partial<DomainSpec> = {}): DomainSpec => ({
  uuid,
  name: "web",
  memoryBytes: 256 * 1024 ** 2,
  cpus: 2,
  firmware: "bios",
  tpm: false,
  diskPath: "/srv/images/web & co.qcow2",
  diskBus: "virtio",
  diskTarget: "vda",
  driveTarget: "sda",
  network: "user",
  order: "hd_cdrom",
  isoPath: "/srv/iso/installer.iso",
  serialLog: "/srv/log/web.log",
  accelerator: "tcg",
  claim,
  ...more,
});

/** Each change to a definition that libvirt wrote, by the name of its fixtures. */
const changes: Record<string, { change: (xml: string) => string; touches: RegExp }> = {
  "disk-only": { change: (xml) => withBootOrder(xml, "hd"), touches: /^boot / },
  "second-drive": {
    change: (xml) => withBootOrder(xml, "cdrom_hd", { systemDisk: "vdb", isoDrive: "sdb" }),
    touches: /^boot /,
  },
  "network-first": { change: (xml) => withBootOrder(xml, "cdrom_hd"), touches: /^boot / },
  "host-device-first": { change: (xml) => withBootOrder(xml, "hd_cdrom"), touches: /^boot / },
  "medium-inserted": {
    change: (xml) => withMedia(xml, '/srv/iso/it\'s <new> & "quoted".iso', "sdb"),
    touches: /^source file="\/srv\/iso\/it's/,
  },
  "medium-ejected": { change: (xml) => withMedia(xml, undefined), touches: /^source (file="\/srv\/iso|startupPolicy)/ },
  claimed: { change: (xml) => withClaim(xml, claim), touches: /^bootwright:vm/ },
  "drive-added": {
    change: (xml) => withDrive(xml, nextDriveTarget(xml).target, nextDriveTarget(xml).bus),
    touches: /never/,
  },
};

describe("a changed definition", () => {
  for (const [name, { change, touches }] of Object.entries(changes)) {
    test(`${name} is the fixture, and only what was meant is different`, () => {
      const before = fixture(`${name}.in`);
      const after = change(before);
      expectFixture(`${name}.out`, after);
      const rest = (xml: string) => {
        const lines = canonical(xml).split("\n");
        return lines.filter((line, index) => !touches.test(line) && !touches.test(lines[index - 1] ?? "")).join("\n");
      };
      if (name === "drive-added") {
        const { target } = nextDriveTarget(before);
        expect(canonical(withoutDrive(after, target))).toBe(canonical(before));
      } else expect(rest(after)).toBe(rest(before));
      expect(change(after)).toBe(name === "drive-added" ? change(after) : after);
    });
  }
});

describe("withBootOrder()", () => {
  const first = fixture("network-first.in");

  test("keeps everything of a definition that it does not know", () => {
    const before = fixture("host-device-first.in");
    const after = withBootOrder(before, "cdrom");
    expect(withoutBoot(canonical(after))).toBe(withoutBoot(canonical(before)));
    for (const kept of [
      "<![CDATA[if (a < b && c > d)",
      "<!-- kept as it is -->",
      "one&#10;two",
      "&lt;&#10;x",
      "qemu:arg",
    ]) {
      expect(after).toContain(kept);
    }
  });

  test("puts the two devices ahead of a network card that was first, and keeps the card behind them", () => {
    const { definition } = parseDomain(withBootOrder(first, "hd_cdrom"));
    expect(definition.boot.style).toBe("device");
    expect(bootOrderOf(definition, { systemDisk: "vda", isoDrive: "sda" })).toEqual({
      order: "hd_cdrom",
      others: ["network:52:54:00:00:00:0a"],
    });
  });

  // cockpit took position 0 for "not in the order", so a host device that stood first lost its entry.
  test("keeps a host device that is the first of its kind and stands first", () => {
    const { definition } = parseDomain(fixture("host-device-first.in"));
    expect(definition.boot.entries[0]).toEqual({ device: "hostdev:0", order: 1 });
    const after = parseDomain(withBootOrder(fixture("host-device-first.in"), "hd")).definition;
    expect(after.boot.entries.map(({ device }) => device)).toEqual([
      "disk:vda",
      "hostdev:0",
      "network:52:54:00:00:00:01",
      "redirdev:0",
    ]);
  });

  test("resolves classes when it converts: the network class becomes the first card", () => {
    const before = fixture("second-drive.in");
    const after = withBootOrder(before, "hd", { systemDisk: "vdb", isoDrive: "sda" });
    expect(after).not.toContain("<boot dev");
    expect(parseDomain(after).definition.boot.entries.at(-1)?.device).toBe("network:52:54:00:00:00:0a");
  });

  test("keeps loadparm and other attributes of an entry that stays", () => {
    const xml = first.replace("<boot order='2'/>", "<boot order='2' loadparm='4'/>");
    expect(withBootOrder(xml, "hd_cdrom")).toMatch(/<boot order="\d+" loadparm="4"\/>/);
  });

  test("writes what is there already without touching it", () => {
    const written = withBootOrder(first, "cdrom_hd");
    expect(withBootOrder(written, "cdrom_hd")).toBe(written);
  });
});

describe("withBoot()", () => {
  const disk = "<disk type='file' device='disk'><target dev='vda' bus='virtio'/></disk>";
  const minimal = `<domain type='qemu'><name>x</name><os><type>hvm</type></os><devices>${disk}</devices></domain>`;

  test("converts back to classes, without a number left in a device", () => {
    const boot = { style: "os", entries: [{ device: "class:hd", order: 1 }] } as const;
    const after = withBoot(fixture("host-device-first.in"), boot);
    expect(after).not.toContain("<boot order");
    expect(after).toMatch(/<boot dev="hd"\/>\s*<bootmenu/);
    expect(parseDomain(after).definition.boot).toEqual(boot);
  });

  test("leaves out a device that is not there", () => {
    const entries = [
      { device: "class:cdrom", order: 1 },
      { device: "network:aa", order: 2 },
      { device: "disk:vda", order: 3 },
    ];
    expect(withBoot(minimal, { style: "device", entries })).toContain('<boot order="3"/></disk>');
  });

  test("gives one device one number, the first", () => {
    const entries = [
      { device: "disk:vda", order: 1 },
      { device: "class:hd", order: 2 },
    ];
    expect(withBoot(minimal, { style: "device", entries }).match(/<boot/g)).toHaveLength(1);
  });

  test("refuses a device among classes", () => {
    expect(() => withBoot(minimal, { style: "os", entries: [{ device: "disk:vda", order: 1 }] })).toThrow("disk:vda");
  });
});

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
    expect(deviceXml(block, "cdrom", "sda", { media: "/b.iso" })).toMatch(/type="file"[^]*<source file="\/b.iso"\/>/);
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

describe("withClaim()", () => {
  const bare = "<domain type='qemu'>\n  <name>x</name>\n  <uuid>u</uuid>\n  <memory>1</memory>\n  <os/>\n</domain>";

  test("adds a tag that is read back, and takes it away without a trace", () => {
    const tagged = withClaim(bare, claim);
    expect(parseDomain(tagged).claim).toEqual(claim);
    expect(tagged).toMatch(
      /<\/uuid>\n {2}<metadata>\n {4}<bootwright:vm xmlns:bootwright="[^"]+" uuid="[^"]+" revision="7" status="Installing"\/>\n {2}<\/metadata>\n {2}<memory>/,
    );
    expect(withClaim(tagged, undefined)).toBe(withClaim(bare, undefined));
    expect(withClaim(tagged, { ...claim, revision: 8 }).match(/<bootwright:vm/g)).toHaveLength(1);
  });

  test.each([
    `<metadata><b:vm xmlns:b='${CLAIM_NAMESPACE}' uuid='${uuid}' revision='7' status='Installing'/></metadata>`,
    `<metadata><vm xmlns='${CLAIM_NAMESPACE}' uuid='${uuid}' revision='7' status='Installing'/></metadata>`,
    `<metadata xmlns:o='${CLAIM_NAMESPACE}'><o:vm uuid='${uuid}' revision='7' status='Installing'/></metadata>`,
  ])("reads and replaces %s", (metadata) => {
    const xml = bare.replace("<memory>", `${metadata}<memory>`);
    expect(parseDomain(xml).claim).toEqual(claim);
    const next = withClaim(xml, { ...claim, status: "Installed" });
    expect(parseDomain(next).claim).toEqual({ ...claim, status: "Installed" });
    expect(next.match(/vm /g)).toHaveLength(1);
  });

  test.each([
    `<metadata><vm uuid='${uuid}' revision='7' status='x'/></metadata>`,
    `<metadata><b:vm xmlns:b='https://example.com' uuid='${uuid}' revision='7' status='x'/></metadata>`,
    `<metadata><b:vm xmlns:b='${CLAIM_NAMESPACE}' uuid='${uuid}' revision='seven' status='x'/></metadata>`,
  ])("takes %s for no claim", (metadata) => {
    expect(parseDomain(bare.replace("<memory>", `${metadata}<memory>`)).claim).toBeUndefined();
  });

  test("claimXml() leaves prefix and namespace to virDomainSetMetadata", () => {
    expect(claimXml(claim)).toBe(`<vm uuid="${uuid}" revision="7" status="Installing"/>`);
  });
});

describe("meaningOf()", () => {
  const xml = fixture("host-device-first.in");

  test("is the same with and without the claim tag, quotes and white space", () => {
    expect(meaningOf(withClaim(xml, claim))).toBe(meaningOf(xml));
    expect(meaningOf(withClaim(fixture("disk-only.in"), claim))).toBe(meaningOf(fixture("disk-only.in")));
    expect(meaningOf(xml.replaceAll(">\n", ">"))).toBe(meaningOf(xml));
  });

  test.each([
    ["passwd='spice'", "passwd='other'"],
    ["0012", "12"],
    ["1.50", "1.5"],
    ["kept as it is", "changed"],
    ["a < b", "a > b"],
    ["total_iops_sec>500", "total_iops_sec>501"],
    ["opt/x", "opt/y"],
    ["<boot order='7'/>", ""],
    ["  spaces  ", "spaces"],
  ])("is another after %s becomes %s", (was, is) => {
    expect(xml).toContain(was);
    expect(meaningOf(xml.replace(was, is))).not.toBe(meaningOf(xml));
  });
});

describe("differencesOf()", () => {
  const { definition } = parseDomain(fixture("second-drive.in"));
  const next = (change: (xml: string) => string) => parseDomain(change(fixture("second-drive.in"))).definition;

  test("names what a cold start would change", () => {
    expect(differencesOf(definition, definition)).toEqual([]);
    expect(
      differencesOf(
        definition,
        next((xml) => withBootOrder(xml, "hd")),
      ),
    ).toEqual(["boot"]);
    expect(
      differencesOf(
        definition,
        next((xml) => withMedia(xml, undefined)),
      ),
    ).toEqual(["media"]);
    expect(
      differencesOf(
        definition,
        next((xml) => xml.replace("web.qcow2", "web.snap").replace("262144", "1").replace(">1<", ">2<")),
      ),
    ).toEqual(["disks", "memory", "cpus"]);
  });

  test("sees through the style of the boot order", () => {
    const entries = ["cdrom:sda", "disk:vda", "class:network"].map((device, index) => ({ device, order: index + 1 }));
    const style = next((xml) => withBoot(xml, { style: "device", entries }));
    const card = next((xml) => xml);
    expect(style.boot.style).toBe("device");
    expect(differencesOf(card, style)).toEqual(["boot"]);
  });
});

describe("buildDomain()", () => {
  test.each([
    ["built-bios", spec()],
    [
      "built-uefi-kvm",
      spec({
        firmware: "uefi",
        accelerator: "kvm",
        diskBus: "scsi",
        diskTarget: "sda",
        driveTarget: "sdb",
        network: "bridge:br0",
        order: "cdrom_hd",
      }),
    ],
    [
      "built-secure",
      spec({
        firmware: "uefi_secure",
        tpm: true,
        diskBus: "sata",
        diskTarget: "sda",
        driveTarget: "sdb",
        network: "none",
        order: "hd",
      }),
    ],
  ] as const)("%s is the fixture", (name, asked) => {
    expectFixture(name, buildDomain(asked));
  });

  test("escapes what it is given and refuses what XML cannot hold", () => {
    const path = "/srv/<a> & \"b\" 'c'\n\t.qcow2";
    expect(parseDomain(buildDomain(spec({ diskPath: path }))).definition.disks[0]?.path).toBe(path);
    expect(() => buildDomain(spec({ diskPath: "/srv/\u0001" }))).toThrow(RangeError);
    expect(() => buildDomain(spec({ isoPath: "/srv/\ud800" }))).toThrow(RangeError);
  });
});
