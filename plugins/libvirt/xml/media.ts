/** CD-ROM drives and their media in domain XML, and one device's element for virDomainUpdateDeviceFlags. */
import { rolesOf } from "../../../src/plugin.ts";
import { setBootNumber } from "./boot.ts";
import { busOf, disksOf, kindOf, targetIndex, targetName, targetOf } from "./devices.ts";
import { definitionOf } from "./read.ts";
import {
  attribute,
  editXml,
  element,
  elementsOf,
  find,
  insert,
  named,
  parseXml,
  remove,
  setAttribute,
  writeXml,
  type XmlNode,
} from "./tree.ts";

/** Changes to one device. An absent field stays as it is; `false` removes it. */
export type DeviceChange = Readonly<{ boot?: number | false; media?: string | false }>;

/** The definition with this ISO in a CD-ROM drive, or with an empty one: by default the drive that boots first. */
export function withMedia(xml: string, isoPath: string | undefined, driveTarget?: string): string {
  return editXml(xml, (domain) => {
    const target = driveTarget ?? rolesOf(definitionOf(domain)).isoDrive;
    setMedium(deviceIn(domain, "cdrom", target), isoPath);
  });
}

/** The element of one disk or CD-ROM drive, for virDomainUpdateDeviceFlags. That call replaces the whole element, so it
 * includes everything: serial, address, alias, I/O limits.
 *
 * An element of a live definition leaves out the parts that only a running device has, and keeps the boot number:
 * libvirt refuses to change a running device's. */
export function deviceXml(xml: string, kind: "disk" | "cdrom", target: string, change: DeviceChange = {}): string {
  const root = parseXml(xml);
  const device = deviceIn(root, kind, target);
  const live = attribute(root, "id") !== undefined;
  if (live && change.boot !== undefined)
    throw new Error(`Cannot change the boot number of "${target}" in a live definition`);
  if (live) makeInactive(device);
  if (change.media !== undefined) setMedium(device, change.media === false ? undefined : change.media);
  if (change.boot !== undefined) setBootNumber(device, change.boot === false ? undefined : change.boot);
  return writeXml([device]);
}

/** The definition with one more CD-ROM drive, empty and without a place in the boot order. SATA and IDE drives cannot
 * be added to a running VM. */
export function withDrive(xml: string, target: string, bus: string): string {
  return editXml(xml, (domain) => {
    const devices = find(domain, "devices");
    if (devices === undefined) throw new Error("Cannot add a CD-ROM drive: the definition has no <devices>");
    const siblings = elementsOf(devices);
    const following = siblings[siblings.findLastIndex(named("emulator", "disk")) + 1];
    insert(devices, driveElement(target, bus), (sibling) => sibling === following);
  });
}

/** The definition without this CD-ROM drive, and without its place in the boot order. */
export function withoutDrive(xml: string, target: string): string {
  return editXml(xml, (domain) => remove(find(domain, "devices"), deviceIn(domain, "cdrom", target)));
}

export const driveElement = (target: string, bus: string, isoPath?: string): XmlNode =>
  element("disk", { type: "file", device: "cdrom" }, [
    element("driver", { name: "qemu", type: "raw" }),
    isoPath === undefined ? undefined : element("source", { file: isoPath }),
    element("target", { dev: target, bus }),
    element("readonly"),
  ]);

/** The bus and target of the next CD-ROM drive: SATA for q35, which has no IDE, IDE for i440fx while one of its four
 * places is free, SCSI otherwise. */
export function nextDriveTarget(xml: string): { target: string; bus: string } {
  const root = parseXml(xml);
  const { machine } = definitionOf(root);
  const disks = disksOf(root);
  if (machine === "q35") return { target: freeTarget(disks, "sd", "sata", sataAddress)!, bus: "sata" };
  const ide = machine === "i440fx" ? freeTarget(disks, "hd", "ide", ideAddress, 4) : undefined;
  return ide ? { target: ide, bus: "ide" } : { target: freeTarget(disks, "sd", "scsi", () => ({}))!, bus: "scsi" };
}

type DriveAddress = Readonly<Record<string, number>>;

/** The address that libvirt derives from the index of a drive's target (virDomainDiskDefAssignAddress). */
const sataAddress = (index: number): DriveAddress => ({ controller: Math.floor(index / 6), bus: 0, unit: index % 6 });
const ideAddress = (index: number): DriveAddress => ({
  controller: Math.floor(index / 4),
  bus: Math.floor(index / 2) % 2,
  unit: index % 2,
});

/** The first free name whose address is free, too: libvirt derives the address from the name, but an existing disk may
 * have another one, and libvirt refuses two drives at one address. */
function freeTarget(
  disks: readonly XmlNode[],
  prefix: string,
  bus: string,
  addressOf: (index: number) => DriveAddress,
  limit = Infinity,
) {
  const isTaken = (index: number) =>
    disks.some((disk) => {
      if (targetOf(disk).startsWith(prefix) && targetIndex(targetOf(disk)) === index) return true;
      const wanted = Object.entries(addressOf(index));
      const address = find(disk, "address");
      return (
        busOf(disk) === bus &&
        wanted.length > 0 &&
        wanted.every(([name, value]) => attribute(address, name) === String(value))
      );
    });
  for (let index = 0; index < limit; index++) if (!isTaken(index)) return targetName(prefix, index);
  return undefined;
}

function deviceIn(domain: XmlNode, kind: "disk" | "cdrom", target: string | undefined): XmlNode {
  const device = disksOf(domain).find((disk) => kindOf(disk) === kind && targetOf(disk) === target);
  if (device === undefined) throw new Error(`Cannot find ${kind} "${target ?? "(any)"}" in the definition`);
  return device;
}

function setMedium(drive: XmlNode, isoPath: string | undefined): void {
  const held = find(drive, "source");
  const isFile = (attribute(drive, "type") ?? "file") === "file";
  if (isFile && attribute(held, "file") === isoPath) return;
  // Attributes of the old medium do not hold for the new one.
  remove(drive, find(drive, "backingStore"));
  if (isoPath !== undefined) setAttribute(find(drive, "driver") ?? element("driver"), "type", "raw");
  if (isFile && held && isoPath !== undefined) {
    setAttribute(held, "file", isoPath);
    setAttribute(held, "index", undefined);
    return;
  }
  const startupPolicy = isFile ? attribute(held, "startupPolicy") : undefined;
  remove(drive, held);
  if (!isFile) remove(drive, find(drive, "auth"));
  setAttribute(drive, "type", "file");
  if (isoPath === undefined && startupPolicy === undefined) return;
  // An empty drive keeps its startupPolicy in a <source> without a file, as libvirt writes it.
  insert(
    drive,
    element("source", { file: isoPath, startupPolicy }),
    (sibling) => !named("driver", "#text", "#comment")(sibling),
  );
}

/** Removes the elements that libvirt writes only for a running device. */
function makeInactive(device: XmlNode): void {
  for (const name of ["backingStore", "mirror"]) remove(device, find(device, name));
  setAttribute(find(device, "target") ?? element("target"), "tray", undefined);
  const source = find(device, "source");
  if (source) setAttribute(source, "index", undefined);
  // An ejected medium leaves an empty <source> behind.
  if (
    source &&
    ["file", "dev", "startupPolicy"].every((name) => attribute(source, name) === undefined) &&
    elementsOf(source).length === 0
  ) {
    if (kindOf(device) === "cdrom") remove(device, source);
  }
}
