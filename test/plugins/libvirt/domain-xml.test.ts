// @module-tag long
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  buildDomain,
  nextDriveTarget,
  parseDomain,
  withBootOrder,
  withClaim,
  withDrive,
  withMedia,
  withoutDrive,
} from "../../../plugins/libvirt/domain-xml.ts";
import { bootOrderOf, presetOrders, rolesOf } from "../../../src/plugin.ts";
import { canonical, withoutBoot } from "./canonical.ts";
import { claim, spec } from "./spec.ts";

const fixture = (name: string) => readFileSync(new URL(`fixtures/${name}.xml`, import.meta.url), "utf8");

/** Compares with the file, whole text. UPDATE=1 writes the file; a missing one fails. */
function expectFixture(name: string, text: string): void {
  const file = new URL(`fixtures/${name}.xml`, import.meta.url);
  if (process.env.UPDATE) writeFileSync(file, text);
  expect(existsSync(file), `missing fixture ${name}.xml (UPDATE=1 writes it)`).toBe(true);
  expect(text).toBe(readFileSync(file, "utf8"));
}

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

describe("withBootOrder() on any definition", () => {
  const device = (name: string, inner: string) => `<${name}>\n      ${inner}\n    </${name.split(" ")[0]}>`;
  const disk = (kind: string, target: string, bus: string) =>
    device(
      `disk type='file' device='${kind}'`,
      `<source file='/${target} &amp; co'/><target dev='${target}' bus='${bus}'/>`,
    );
  const card = (index: number) => device("interface type='user'", `<mac address='52:54:00:00:00:0${index}'/>`);

  /** A definition with hard disks and drives on several buses in any order, other devices among them, and a boot order
   * of either style, other devices ahead of, between and behind the disks. */
  const definitions = fc
    .record({
      disks: fc.subarray(["vda", "vdb", "sdc"], { minLength: 1 }),
      drives: fc.subarray(["sda", "sdb", "hda"], { minLength: 1 }),
      cards: fc.integer({ min: 0, max: 3 }),
      hostdevs: fc.integer({ min: 0, max: 2 }),
      floppy: fc.boolean(),
      classes: fc.option(fc.array(fc.constantFrom("hd", "cdrom", "network", "fd"), { maxLength: 4 })),
      gaps: fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 12, maxLength: 12 }),
      shuffle: fc.infiniteStream(fc.nat()),
    })
    .map(({ disks, drives, cards, hostdevs, floppy, classes, gaps, shuffle }) => {
      const devices = [
        ...disks.map((target) => disk("disk", target, target.startsWith("v") ? "virtio" : "sata")),
        ...drives.map((target) => disk("cdrom", target, target.startsWith("h") ? "ide" : "sata")),
        ...(floppy ? [disk("floppy", "fda", "fdc")] : []),
        ...Array.from({ length: cards }, (_, index) => card(index)),
        ...Array.from({ length: hostdevs }, () =>
          device("hostdev mode='subsystem' type='usb'", "<source/><address type='usb'/>"),
        ),
      ];
      const mixed = shuffled(devices, shuffle);
      const booting = classes ? [] : shuffled(mixed, shuffle).slice(0, 1 + (shuffle.next().value % mixed.length));
      const sums = gaps.map((_, index) => gaps.slice(0, index + 1).reduce((sum, gap) => sum + gap));
      const numbers = new Map(booting.map((text, index) => [text, sums[index]]));
      const lines = mixed.map((text) => {
        const number = numbers.get(text);
        // Two host devices have the same text: only the first of them gets the number.
        numbers.delete(text);
        return number === undefined ? text : text.replace(/\n {4}<\//, `\n      <boot order='${number}'/>$&`);
      });
      const os = (classes ?? []).map((name) => `\n    <boot dev='${name}'/>`).join("");
      return `<domain type='qemu'>\n  <name>x</name>\n  <memory>1024</memory>\n  <os>\n    <type>hvm</type>${os}\n    <bootmenu enable='no'/>\n  </os>\n  <devices>\n    ${lines.join("\n    ")}\n  </devices>\n</domain>\n`;
    });

  function shuffled<T>(items: readonly T[], random: Iterator<number>): T[] {
    return items
      .map((item) => ({ item, at: random.next().value as number }))
      .sort((a, b) => a.at - b.at)
      .map(({ item }) => item);
  }

  const anyOrder = fc.constantFrom(...presetOrders);

  test("is read back as that order, keeps other devices in their order, and changes nothing else", () => {
    fc.assert(
      fc.property(definitions, anyOrder, fc.nat(), fc.nat(), (xml, order, diskAt, driveAt) => {
        const { definition } = parseDomain(xml);
        const roles = {
          systemDisk: definition.disks[diskAt % definition.disks.length]!.target,
          isoDrive: definition.drives[driveAt % definition.drives.length]!.target,
        };
        const after = withBootOrder(xml, order, roles);
        expect(bootOrderOf(parseDomain(after).definition, roles).order).toBe(order);
        expect(withoutBoot(canonical(after))).toBe(withoutBoot(canonical(xml)));
        expect(withBootOrder(after, order, roles)).toBe(after);
        const numbers = parseDomain(after).definition.boot.entries.map(({ order: number }) => number);
        expect(new Set(numbers).size).toBe(numbers.length);
        expect(/<boot dev/.test(after) && /<boot order/.test(after)).toBe(false);
      }),
      { numRuns: 2000 },
    );
  });

  test("takes the roles from the definition where nobody has recorded them", () => {
    fc.assert(
      fc.property(definitions, anyOrder, (xml, order) => {
        const roles = rolesOf(parseDomain(xml).definition);
        expect(bootOrderOf(parseDomain(withBootOrder(xml, order)).definition, roles).order).toBe(order);
      }),
      { numRuns: 500 },
    );
  });
});
