import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { parseDomain, withBoot, withBootOrder } from "../../../../plugins/libvirt/domain-xml.ts";
import { bootOrderOf } from "../../../../src/plugin.ts";
import { canonical, withoutBoot } from "../canonical.ts";

const fixture = (name: string) => readFileSync(new URL(`../fixtures/${name}.xml`, import.meta.url), "utf8");

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
