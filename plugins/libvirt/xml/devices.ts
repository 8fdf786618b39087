/** The bootable devices of a domain, and their names in its boot order. */
import type { DeviceRef } from "../../../src/plugin.ts";
import { attribute, elementsOf, find, nameOf, type XmlNode } from "./tree.ts";

export type Device = Readonly<{ ref: DeviceRef; node: XmlNode }>;

/** Every `<disk>` in libvirt's own order: grouped by bus, in the order in which the buses first occur, and by target
 * name within one bus (virDomainDiskInsert). libvirt's own text is in that order already; another program's may not
 * be, and `<boot dev>` reaches the first disk of a class in this order. */
export function disksOf(domain: XmlNode): XmlNode[] {
  const disks = elementsOf(find(domain, "devices"), "disk");
  const buses = [...new Set(disks.map(busOf))];
  const rank = (disk: XmlNode) => [buses.indexOf(busOf(disk)), targetIndex(targetOf(disk))] as const;
  return disks
    .map((node) => ({ node, rank: rank(node) }))
    .sort((a, b) => a.rank[0] - b.rank[0] || a.rank[1] - b.rank[1])
    .map(({ node }) => node);
}

export const targetOf = (disk: XmlNode): string => attribute(find(disk, "target"), "dev") ?? "";

/** The bus of a disk; without one, the bus that its target's name implies (virDomainDiskDefParse). */
export function busOf(disk: XmlNode): string {
  const byPrefix: Record<string, string> = { fd: "fdc", hd: "ide", sd: "scsi", vd: "virtio", xv: "xen" };
  return attribute(find(disk, "target"), "bus") ?? byPrefix[targetOf(disk).slice(0, 2)] ?? "ide";
}

/** The place of a target name in its row: `sda` 0, `sdz` 25, `sdaa` 26 (virDiskNameToIndex). */
export function targetIndex(target: string): number {
  const letters = /^(?:fd|hd|vd|sd|xvd|ubd)([a-z]+)/.exec(target)?.[1] ?? "";
  return [...letters].reduce((index, letter) => (index + 1) * 26 + letter.charCodeAt(0) - 97, -1);
}

/** The target name of a place in a row; the inverse of `targetIndex`. */
export function targetName(prefix: string, index: number): string {
  let letters = "";
  for (let rest = index; rest >= 0; rest = Math.floor(rest / 26) - 1)
    letters = String.fromCharCode(97 + (rest % 26)) + letters;
  return prefix + letters;
}

/** The name of this `<disk>` in the boot order, in which a `lun` is a hard disk like any other. */
export function kindOf(disk: XmlNode): "disk" | "cdrom" | "floppy" {
  const device = attribute(disk, "device");
  return device === "cdrom" || device === "floppy" ? device : "disk";
}

/** The elements besides disks that take a `<boot order>` (VIR_DOMAIN_DEF_PARSE_ALLOW_BOOT in libvirt's parser). */
const otherKinds = ["interface", "hostdev", "redirdev", "filesystem"];

/** Every device that can be booted from. Host, redirected and file system devices have no name of their own: they are
 * counted from 0 in the order of the definition. */
export function bootableDevices(domain: XmlNode): Device[] {
  const disks = disksOf(domain).map((node) => ({ ref: `${kindOf(node)}:${targetOf(node)}`, node }));
  const counts = new Map<string, number>();
  const others = elementsOf(find(domain, "devices")).flatMap((node): Device[] => {
    const kind = nameOf(node);
    if (!otherKinds.includes(kind)) return [];
    const base =
      kind === "interface" ? `network:${attribute(find(node, "mac"), "address")?.toLowerCase() ?? ""}` : kind;
    const count = counts.get(base) ?? 0;
    counts.set(base, count + 1);
    if (kind !== "interface") return [{ ref: `${kind}:${count}`, node }];
    // libvirt accepts two interfaces with one MAC address.
    return [{ ref: count === 0 ? base : `${base}#${count}`, node }];
  });
  return [...disks, ...others];
}

/** The device of a boot order's entry: the device itself, or the first of the class. */
export function deviceFor(devices: readonly Device[], ref: DeviceRef): Device | undefined {
  if (!ref.startsWith("class:")) return devices.find((device) => device.ref === ref);
  const kind = { hd: "disk", cdrom: "cdrom", fd: "floppy", network: "network" }[ref.slice("class:".length)];
  return devices.find((device) => device.ref.startsWith(`${kind}:`));
}
