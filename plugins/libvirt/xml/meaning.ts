/** When two definitions say the same. */
import { bootSequence, type DeviceRef, type VmDefinition } from "../../../src/plugin.ts";
import { removeClaim } from "./claim.ts";
import {
  attributeEntries,
  childrenOf,
  isBlank,
  isComment,
  isElement,
  nameOf,
  parseXml,
  textOf,
  type XmlNode,
} from "./tree.ts";

/** A canonical text of the whole definition, passwords included, without our own claim tag: the same for two reads of
 * one definition, another as soon as anything is different in it. Meant for a keyed hash, never to be shown or kept. */
export function meaningOf(xml: string): string {
  const root = parseXml(xml);
  removeClaim(root);
  return JSON.stringify(meaning(root));
}

function meaning(node: XmlNode): unknown {
  if (!isElement(node)) return isComment(node) ? { comment: textOf(node) } : (textOf(node) ?? "");
  // Attributes have no order in XML. Elements have, and libvirt keeps it between two reads, but for controllers: after
  // the first start those that it added by itself stand in another place. Type and index identify them.
  const attributes = attributeEntries(node).sort(([a], [b]) => (a < b ? -1 : 1));
  const children = childrenOf(node).filter((child) => !isBlank(child));
  const fixed = children.filter((child) => nameOf(child) !== "controller").map(meaning);
  const controllers = children
    .filter((child) => nameOf(child) === "controller")
    .map((child) => JSON.stringify(meaning(child)));
  return [nameOf(node), attributes, fixed, controllers.sort()];
}

const compared = {
  media: ({ drives }) => drives.map(({ target, bus, path }) => [target, bus, path]),
  disks: ({ disks }) =>
    disks.map(({ target, bus, path, format, readOnly, shareable }) => [target, bus, path, format, readOnly, shareable]),
  firmware: ({ firmware }) => firmware,
  machine: ({ machine }) => machine,
  memory: ({ memoryBytes }) => memoryBytes,
  cpus: ({ cpus }) => cpus,
  kernel: ({ directKernel }) => directKernel,
} satisfies Record<string, (definition: VmDefinition) => unknown>;

export type DefinitionField = "boot" | keyof typeof compared;

/** The fields in which a running definition and the next one differ: what is pending. The texts themselves always
 * differ, since a live definition holds much that an inactive one does not. An open tray is no difference: the medium
 * that is still configured is in the drive again after a reset. */
export function differencesOf(a: VmDefinition, b: VmDefinition): DefinitionField[] {
  const fields = Object.keys(compared) as (keyof typeof compared)[];
  const others = fields.filter((field) => JSON.stringify(compared[field](a)) !== JSON.stringify(compared[field](b)));
  return sameSequence(bootSequence(a), bootSequence(b)) ? others : ["boot", ...others];
}

const sameSequence = (a: readonly DeviceRef[], b: readonly DeviceRef[]): boolean =>
  a.length === b.length &&
  a.every((ref, index) => ref === b[index] || sameClass(ref, b[index]!) || sameClass(b[index]!, ref));

/** Whether an entry is the class that the other one is of. A definition does not list network cards, so the class
 * cannot be resolved to the first one, which is what a conversion between the styles makes of it. */
const sameClass = (ref: DeviceRef, other: DeviceRef): boolean =>
  (ref === "class:network" && other.startsWith("network:")) || (ref === "class:fd" && other.startsWith("floppy:"));
