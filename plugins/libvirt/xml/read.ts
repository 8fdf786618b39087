/** Reads a libvirt domain's XML into the domain model. */
import type { BootConfig, ClaimTag, Disk, Drive, Firmware, VmDefinition } from "../../../src/plugin.ts";
import { claimOf } from "./claim.ts";
import { bootableDevices, busOf, disksOf, kindOf, targetOf } from "./devices.ts";
import { attribute, elementsOf, find, parseXml, textOf, type XmlNode } from "./tree.ts";

export type ParsedDomain = Readonly<{
  uuid: string;
  name: string;
  /** The hypervisor: `kvm`, `qemu` (which is QEMU without KVM), `test` … */
  type: string;
  /** The machine, with its version if libvirt has resolved it: `pc-q35-7.2`. */
  machine: string;
  definition: VmDefinition;
  claim?: ClaimTag;
  /** Whether the guest has opened the agent's channel, known only of a running domain; absent without a channel. */
  agent?: boolean;
}>;

/** The name under which QEMU's guest agent looks for its channel. */
const AGENT_CHANNEL = "org.qemu.guest_agent.0";

/** Reads a live or an inactive definition. */
export function parseDomain(xml: string): ParsedDomain {
  const root = parseXml(xml);
  const claim = claimOf(root);
  const agent = agentOf(root);
  return {
    uuid: textOf(find(root, "uuid"))?.trim() ?? "",
    name: textOf(find(root, "name")) ?? "",
    type: attribute(root, "type") ?? "",
    machine: attribute(find(root, "os", "type"), "machine") ?? "",
    definition: definitionOf(root),
    ...(claim && { claim }),
    ...(agent !== undefined && { agent }),
  };
}

/** The target of the disk or drive that has this alias in a running domain's definition. */
export function targetOfAlias(xml: string, alias: string): string | undefined {
  const disk = disksOf(parseXml(xml)).find((one) => attribute(find(one, "alias"), "name") === alias);
  return disk && targetOf(disk);
}

function agentOf(domain: XmlNode): boolean | undefined {
  const targets = elementsOf(find(domain, "devices"), "channel").map((channel) => find(channel, "target"));
  const target = targets.find((one) => attribute(one, "name") === AGENT_CHANNEL);
  return target && attribute(target, "state") === "connected";
}

export function definitionOf(domain: XmlNode): VmDefinition {
  const disks = disksOf(domain);
  const vcpu = find(domain, "vcpu");
  const serialLog = serialLogOf(domain);
  return {
    firmware: firmwareOf(find(domain, "os")),
    machine: machineOf(domain),
    memoryBytes: bytesOf(find(domain, "memory")),
    cpus: Number(attribute(vcpu, "current") ?? textOf(vcpu) ?? 1),
    disks: disks.filter((disk) => kindOf(disk) === "disk").map(diskOf),
    drives: disks.filter((disk) => kindOf(disk) === "cdrom").map(driveOf),
    boot: bootOf(domain),
    directKernel: find(domain, "os", "kernel") !== undefined,
    ...(textOf(find(domain, "on_reboot"))?.trim() === "destroy" && { resetEndsRun: true as const }),
    ...(serialLog !== undefined && { serialLog }),
  };
}

/** The boot configuration that libvirt reads from this definition. */
function bootOf(domain: XmlNode): BootConfig {
  const numbered = bootableDevices(domain)
    .map(({ ref, node }) => ({ device: ref, order: Number(attribute(find(node, "boot"), "order") ?? 0) }))
    .filter(({ order }) => order > 0)
    .sort((a, b) => a.order - b.order);
  if (numbered.length > 0) return { style: "device", entries: numbered };
  const classes = elementsOf(find(domain, "os"), "boot").map((node) => attribute(node, "dev") ?? "");
  // The last place of a repeated class counts (qemuProcessPrepareDeviceBootorder), and a definition without a boot
  // entry boots the hard disk (virDomainDefBootOrderPostParse).
  const counting = classes.length > 0 ? classes.filter((name, index) => classes.lastIndexOf(name) === index) : ["hd"];
  return { style: "os", entries: counting.map((name, index) => ({ device: `class:${name}`, order: index + 1 })) };
}

/** The file or block device of this host behind a disk. A running domain's ejected CD-ROM still has `<source
 * index="2"/>`. */
function pathOf(disk: XmlNode): string | undefined {
  const name = { file: "file", block: "dev" }[attribute(disk, "type") ?? "file"];
  return (name && attribute(find(disk, "source"), name)) || undefined;
}

function diskOf(disk: XmlNode): Disk {
  const path = pathOf(disk);
  const format = attribute(find(disk, "driver"), "type");
  return {
    target: targetOf(disk),
    bus: busOf(disk),
    ...(path !== undefined && { path }),
    ...(format !== undefined && { format }),
    readOnly: find(disk, "readonly") !== undefined,
    shareable: find(disk, "shareable") !== undefined,
  };
}

function driveOf(disk: XmlNode): Drive {
  const path = pathOf(disk);
  // Only a running domain has the tray's state, and only when it is open.
  const tray = attribute(find(disk, "target"), "tray") === "open" ? "open" : "closed";
  return { target: targetOf(disk), bus: busOf(disk), ...(path !== undefined && { path }), tray };
}

/** The machine's family. `pc` is another name of i440fx. */
function machineOf(domain: XmlNode): VmDefinition["machine"] {
  const machine = attribute(find(domain, "os", "type"), "machine") ?? "";
  if (/q35/.test(machine)) return "q35";
  return /^pc(-i440fx.*|-\d.*|)$/.test(machine) ? "i440fx" : "other";
}

/** The firmware. A live definition names files, and the inactive one states required features (libvirt before 9.2
 * resolves them at each start), so both forms are read. */
function firmwareOf(os: XmlNode | undefined): Firmware {
  const automatic = attribute(os, "firmware");
  const loader = find(os, "loader");
  if (automatic === "bios" || (automatic === undefined && !isUefiLoader(loader))) return "bios";
  const features = elementsOf(find(os, "firmware"), "feature");
  const asked = (name: string) =>
    attribute(
      features.find((feature) => attribute(feature, "name") === name),
      "enabled",
    );
  if (asked("secure-boot") === "no" || asked("enrolled-keys") === "no") return "uefi";
  if (asked("secure-boot") === "yes" || asked("enrolled-keys") === "yes") return "uefi_secure";
  // Nothing is requested or resolved, so the first firmware descriptor decides, which on Debian, Ubuntu and Fedora is
  // the one with Microsoft's keys.
  return loader === undefined || isSecureLoader(os, loader) ? "uefi_secure" : "uefi";
}

const isUefiLoader = (loader: XmlNode | undefined): boolean =>
  loader !== undefined &&
  (attribute(loader, "type") === "pflash" || /ovmf|edk2|uefi|aavmf/i.test(textOf(loader) ?? ""));

/** Whether Secure Boot has keys: it rejects nothing without keys in the variables. File names are the last resort. */
function isSecureLoader(os: XmlNode | undefined, loader: XmlNode): boolean {
  const named = (path: string) => /secboot|secure|enrolled|snakeoil|[-_.]ms[-_.]/i.test(path);
  const template = attribute(find(os, "nvram"), "template");
  const stated = attribute(loader, "secure");
  if (stated === "no") return false;
  if (stated === "yes") return template === undefined || named(template);
  return named(template ?? textOf(loader) ?? "");
}

/** `<memory>`; without a unit it is KiB, and `KB` is 1000 bytes where `k` and `KiB` are 1024 (virScaleInteger). */
function bytesOf(memory: XmlNode | undefined): number {
  const unit = (attribute(memory, "unit") ?? "KiB").toLowerCase();
  const power = "bkmgtpe".indexOf(unit.charAt(0));
  const base = /^[kmgtpe]b$/.test(unit) ? 1000 : 1024;
  return Number(textOf(memory) ?? 0) * base ** Math.max(0, power);
}

/** The file that the first serial line is logged to, or written to. */
function serialLogOf(domain: XmlNode): string | undefined {
  const serial = find(domain, "devices", "serial");
  const written = attribute(serial, "type") === "file" ? attribute(find(serial, "source"), "path") : undefined;
  return attribute(find(serial, "log"), "file") ?? written;
}
