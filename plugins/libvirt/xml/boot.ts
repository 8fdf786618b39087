/** The boot order in domain XML: `<os><boot dev>`, or a `<boot order>` in each device. libvirt refuses a domain with
 * both. */
import { type BootConfig, bootWith, type PresetOrder, type Roles, rolesOf } from "../../../src/plugin.ts";
import { bootableDevices, deviceFor } from "./devices.ts";
import { definitionOf } from "./read.ts";
import {
  editXml,
  element,
  elementsOf,
  find,
  insert,
  named,
  parseXml,
  remove,
  setAttribute,
  type XmlNode,
} from "./tree.ts";

/** What may stand behind `<boot>` within `<os>`, as libvirt writes it (virDomainDefFormatInternal). */
const behindOsBoot = named("bootmenu", "bios", "smbios");

/** What stands behind `<boot>` within a device, as libvirt writes it (virDomainDeviceInfoFormat). */
const behindDeviceBoot = named("alias", "master", "rom", "acpi", "address");

/** The definition with one of the four orders. Unrecorded roles are read from the definition. */
export function withBootOrder(xml: string, order: PresetOrder, roles?: Roles): string {
  const definition = definitionOf(parseXml(xml));
  return withBoot(xml, bootWith(definition, roles ?? rolesOf(definition), order));
}

/** The definition with this boot configuration and no other boot entries. The per-device style leaves out entries of
 * missing devices. */
export function withBoot(xml: string, boot: BootConfig): string {
  const entries = [...boot.entries].sort((a, b) => a.order - b.order);
  return editXml(xml, (domain) => {
    setNumbers(domain, boot.style === "device" ? entries : []);
    setClasses(domain, boot.style === "os" ? entries.map(({ device }) => classOf(device)) : []);
  });
}

function classOf(device: string): string {
  if (!device.startsWith("class:")) throw new Error(`Cannot name device "${device}" in <os>: it takes only classes`);
  return device.slice("class:".length);
}

function setClasses(domain: XmlNode, classes: readonly string[]): void {
  const os = find(domain, "os");
  if (os === undefined) throw new Error("Cannot set the boot order: the definition has no <os>");
  const held = elementsOf(os, "boot");
  // Existing elements are reused, so that the text around them stays.
  for (const [index, node] of held.entries()) {
    const name = classes[index];
    if (name === undefined) remove(os, node);
    else setAttribute(node, "dev", name);
  }
  const following = held.length > 0 ? elementsOf(os)[elementsOf(os).indexOf(held.at(-1)!) + 1] : undefined;
  const behind = held.length > 0 ? (sibling: XmlNode) => sibling === following : behindOsBoot;
  for (const name of classes.slice(held.length)) insert(os, element("boot", { dev: name }), behind);
}

function setNumbers(domain: XmlNode, entries: BootConfig["entries"]): void {
  const devices = bootableDevices(domain);
  const numbers = new Map<XmlNode, number>();
  for (const { device, order } of entries) {
    const node = deviceFor(devices, device)?.node;
    // A class may resolve to a device that also has an entry of its own: the earlier one counts.
    if (node && !numbers.has(node)) numbers.set(node, order);
  }
  for (const { node } of devices) setBootNumber(node, numbers.get(node));
}

/** Sets or removes a device's place in the boot order. The element's other attribute (`loadparm`) stays. */
export function setBootNumber(device: XmlNode, order: number | undefined): void {
  const held = find(device, "boot");
  if (order === undefined) remove(device, held);
  else if (held) setAttribute(held, "order", String(order));
  else insert(device, element("boot", { order }), behindDeviceBoot);
}
