import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import {
  meaningOf,
  parseDomain,
  withBoot,
  withBootOrder,
  withClaim,
  withMedia,
} from "../../../../plugins/libvirt/domain-xml.ts";
import { pendingBetween } from "../../../../src/domain/model/pending.ts";

const fixture = (name: string) => readFileSync(new URL(`../fixtures/${name}.xml`, import.meta.url), "utf8");
const uuid = "3d1a8a52-0b3b-4d5e-9f1a-6f2f5d8c7e10";
const claim = { uuid, revision: 7, status: "Installing" } as const;

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

describe("pendingBetween() over libvirt's own texts", () => {
  const { definition } = parseDomain(fixture("second-drive.in"));
  const next = (change: (xml: string) => string) => parseDomain(change(fixture("second-drive.in"))).definition;

  test("names what a cold start would change", () => {
    expect(pendingBetween(definition, definition)).toEqual([]);
    expect(
      pendingBetween(
        definition,
        next((xml) => withBootOrder(xml, "hd")),
      ),
    ).toEqual(["boot_order"]);
    expect(
      pendingBetween(
        definition,
        next((xml) => withMedia(xml, undefined)),
      ),
    ).toEqual(["media"]);
    expect(
      pendingBetween(
        definition,
        next((xml) => xml.replace("web.qcow2", "web.snap").replace("262144", "1").replace("static'>1<", "static'>2<")),
      ),
    ).toEqual(["disks", "memory", "cpus"]);
  });

  test("sees through the style of the boot order", () => {
    const entries = ["cdrom:sda", "disk:vda", "class:network"].map((device, index) => ({ device, order: index + 1 }));
    const style = next((xml) => withBoot(xml, { style: "device", entries }));
    expect(style.boot.entries.at(-1)?.device).toBe("network:52:54:00:00:00:0a");
    expect(pendingBetween(definition, style)).toEqual([]);
    expect(pendingBetween(style, definition)).toEqual([]);
  });
});
