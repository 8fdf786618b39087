// What libvirt itself makes of the XML: every new VM and every changed definition is defined on the daemon of this
// machine (undefined again at the end), one is started to change its medium while it runs. No guest boots anything.

import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import {
  buildDomain,
  CLAIM_NAMESPACE,
  CLAIM_PREFIX,
  claimXml,
  type DomainSpec,
  deviceXml,
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
import { pendingBetween } from "../../../src/domain/model/pending.ts";
import { bootOrderOf, definitionFor, presetOrders, targetsFor } from "../../../src/plugin.ts";
import { guestPrefix } from "../../support/guest-names.ts";
import { canonical, withoutBoot } from "./canonical.ts";
import { spec as specWith } from "./spec.ts";

const prefix = `${guestPrefix}xml-${process.pid}-`;
const virsh = async (...args: string[]) =>
  (await execa("virsh", ["-q", "-c", "qemu:///system", ...args], { timeout: 60_000, stripFinalNewline: false })).stdout;

let directory = "";
let files = 0;

beforeAll(async () => {
  directory = `${inject("guests").workDir}/domain-xml`;
  await mkdir(directory, { recursive: true });
});

afterAll(async () => {
  const names = (await virsh("list", "--all", "--name")).split("\n").filter((name) => name.startsWith(prefix));
  for (const name of names) {
    await virsh("destroy", name).catch(() => undefined);
    await virsh("undefine", "--nvram", "--tpm", name).catch(() => virsh("undefine", "--nvram", name));
  }
  await rm(directory, { recursive: true, force: true });
});

async function fileFor(xml: string): Promise<string> {
  const file = `${directory}/${++files}.xml`;
  await writeFile(file, xml);
  return file;
}

const define = async (xml: string, ...flags: string[]) => virsh("define", await fileFor(xml), ...flags);
const inactive = (name: string) => virsh("dumpxml", "--inactive", "--security-info", name);

const spec = (name: string, more: Partial<DomainSpec> = {}): DomainSpec => {
  const uuid = randomUUID();
  return specWith({
    uuid,
    name: prefix + name,
    diskPath: `${directory}/${name} & co.qcow2`,
    isoPath: inject("guests").isos.bios,
    serialLog: `${directory}/${name}.log`,
    claim: { uuid, revision: 1, status: "NotInstalled" },
    ...more,
  });
};

const plannedOf = (asked: DomainSpec) => definitionFor({ ...asked, acceleration: asked.accelerator });

describe("buildDomain()", () => {
  const firmwares = ["bios", "uefi", "uefi_secure"] as const;
  const buses = ["virtio", "sata", "scsi"] as const;
  const cases = firmwares.flatMap((firmware) =>
    buses.flatMap((diskBus) => [true, false].map((tpm) => ({ firmware, diskBus, tpm }))),
  );

  test.each(cases)("makes what was asked: $firmware, $diskBus, TPM $tpm", async ({ firmware, diskBus, tpm }) => {
    const order =
      presetOrders[cases.findIndex((other) => other.firmware === firmware && other.diskBus === diskBus) % 4]!;
    const asked = spec(`${firmware}-${diskBus}-${tpm}`, { firmware, diskBus, tpm, order, ...targetsFor(diskBus) });
    await define(buildDomain(asked), "--validate");
    const parsed = parseDomain(await inactive(asked.name));
    expect(parsed).toMatchObject({ uuid: asked.uuid, name: asked.name, type: "qemu", claim: asked.claim });
    expect(parsed.definition).toEqual(plannedOf(asked));
    await virsh("undefine", "--nvram", "--tpm", asked.name);
  });

  test.each(["user", "none", "network:default", "bridge:br0"] as const)(
    "takes the network %s and KVM",
    async (network) => {
      const asked = spec(`net-${network.replace(":", "-")}`, { network, accelerator: "kvm" });
      // Whether this machine can run KVM decides only whether the daemon knows the domain type.
      const known = (await virsh("capabilities")).includes("<domain type='kvm'");
      const xml = known ? buildDomain(asked) : buildDomain({ ...asked, accelerator: "tcg" });
      await define(xml, "--validate");
      expect((await inactive(asked.name)).match(/<interface/g) ?? []).toHaveLength(network === "none" ? 0 : 1);
      await virsh("undefine", asked.name);
    },
  );

  test.each(firmwares)("starts with an empty drive: %s", { timeout: 120_000 }, async (firmware) => {
    const { isoPath: _none, ...asked } = spec(`start-${firmware}`, { firmware, tpm: true });
    await execa("qemu-img", ["create", "-q", "-f", "qcow2", asked.diskPath, "64M"]);
    await define(buildDomain(asked), "--validate");
    await virsh("start", "--paused", asked.name);
    const live = parseDomain(await virsh("dumpxml", asked.name)).definition;
    expect(pendingBetween(live, parseDomain(await inactive(asked.name)).definition)).toEqual([]);
    expect(live).toEqual(plannedOf(asked));
    await virsh("destroy", asked.name);
    await virsh("undefine", "--nvram", "--tpm", asked.name);
  });
});

describe("a definition that libvirt wrote", () => {
  const fixtures = ["disk-only", "second-drive", "network-first", "host-device-first", "drive-added"];

  for (const fixture of fixtures) {
    test(`${fixture} is taken back after every change, and says what was asked`, async () => {
      const name = `${prefix}${fixture}`;
      const text = readFileSync(new URL(`fixtures/${fixture}.in.xml`, import.meta.url), "utf8");
      const uuid = randomUUID();
      await define(
        text.replace(/<name>.*<\/name>/, `<name>${name}</name>`).replace(/<uuid>.*<\/uuid>/, `<uuid>${uuid}</uuid>`),
      );
      let before = await inactive(name);
      expect(meaningOf(await inactive(name))).toBe(meaningOf(before));
      const change = async (edit: (xml: string) => string, from = before) => {
        await define(edit(from), "--validate");
        return inactive(name);
      };

      if (parseDomain(before).definition.drives.length === 0) {
        const { target, bus } = nextDriveTarget(before);
        const added = await change((xml) => withDrive(xml, target, bus));
        expect(parseDomain(added).definition.drives).toEqual([{ target, bus, tray: "closed" }]);
        expect(parseDomain(await change((xml) => withoutDrive(xml, target), added)).definition.drives).toEqual([]);
        before = await change((xml) => withDrive(xml, target, bus));
      }
      const { definition } = parseDomain(before);
      for (const disk of definition.disks) {
        for (const drive of definition.drives) {
          for (const order of presetOrders) {
            const roles = { systemDisk: disk.target, isoDrive: drive.target };
            const after = await change((xml) => withBootOrder(xml, order, roles));
            expect(bootOrderOf(parseDomain(after).definition, roles).order).toBe(order);
            expect(withoutBoot(canonical(after))).toBe(withoutBoot(canonical(before)));
          }
        }
      }
      const back = await change((xml) => withBoot(xml, definition.boot));
      expect(meaningOf(back)).toBe(meaningOf(before));

      const drive = definition.drives[0]!.target;
      const inserted = await change((xml) => withMedia(xml, '/srv/iso/it\'s <new> & "quoted".iso', drive));
      expect(parseDomain(inserted).definition.drives[0]?.path).toBe('/srv/iso/it\'s <new> & "quoted".iso');
      expect(
        parseDomain(await change((xml) => withMedia(xml, undefined, drive))).definition.drives[0]?.path,
      ).toBeUndefined();

      const claim = { uuid, revision: 3, status: "Installed" };
      const claimed = await change((xml) => withClaim(xml, claim));
      expect(parseDomain(claimed).claim).toEqual(claim);
      expect(meaningOf(claimed)).toBe(meaningOf(before));
      await virsh("undefine", name);
    });
  }
});

describe("a running domain", () => {
  test("takes deviceXml() and claimXml() for its next start and for now", { timeout: 120_000 }, async () => {
    const asked = spec("live", { order: "cdrom_hd" });
    const { isos } = inject("guests");
    await execa("qemu-img", ["create", "-q", "-f", "qcow2", asked.diskPath, "64M"]);
    const entries = ["cdrom:sda", "disk:vda"].map((device, index) => ({ device, order: index + 1 }));
    await define(withBoot(buildDomain(asked), { style: "device", entries }), "--validate");
    await virsh("start", "--paused", asked.name);
    const live = () => virsh("dumpxml", asked.name);
    const update = async (xml: string, ...flags: string[]) =>
      virsh("update-device", asked.name, await fileFor(xml), ...flags);
    const driveOf = (xml: string) => parseDomain(xml).definition.drives[0];

    const before = await inactive(asked.name);
    expect(deviceXml(before, "cdrom", "sda")).toContain("<address");
    await update(deviceXml(before, "cdrom", "sda"), "--config");
    expect(meaningOf(await inactive(asked.name))).toBe(meaningOf(before));

    // Live only, from the live definition, with a boot number that is as it was.
    await update(deviceXml(await live(), "cdrom", "sda", { media: false }), "--live");
    expect(driveOf(await live())).toEqual({ target: "sda", bus: "sata", tray: "closed" });
    expect(driveOf(await inactive(asked.name))?.path).toBe(asked.isoPath);
    expect(
      pendingBetween(parseDomain(await live()).definition, parseDomain(await inactive(asked.name)).definition),
    ).toEqual(["media"]);

    await update(deviceXml(await live(), "cdrom", "sda", { media: isos.uefi }), "--live");
    expect(driveOf(await live())?.path).toBe(isos.uefi);

    // Order and medium of the next start in one call; the running domain keeps both.
    await update(deviceXml(await inactive(asked.name), "cdrom", "sda", { boot: 3, media: false }), "--config");
    const next = parseDomain(await inactive(asked.name)).definition;
    expect(bootOrderOf(next, { systemDisk: "vda", isoDrive: "sda" }).order).toBe("hd_cdrom");
    expect(next.drives[0]?.path).toBeUndefined();
    expect(pendingBetween(parseDomain(await live()).definition, next)).toEqual(["boot_order", "media"]);

    const claim = { ...asked.claim, revision: 9 };
    const metadata = ["metadata", asked.name, CLAIM_NAMESPACE, "--key", CLAIM_PREFIX];
    await virsh(...metadata, "--set", claimXml(claim), "--live", "--config");
    expect(parseDomain(await inactive(asked.name)).claim).toEqual(claim);
    expect(parseDomain(await live()).claim).toEqual(claim);
    await virsh("destroy", asked.name);
    await virsh("undefine", asked.name);
  });
});
