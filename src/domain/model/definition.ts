/** Rules for definitions that hold in every hypervisor of the family, whatever its format. */
import type { VmDefinition } from "./vm.ts";

/** libvirt's order of buses; within one, disks are sorted by the name of their target. */
const buses = ["ide", "fdc", "scsi", "virtio", "xen", "usb", "uml", "sata", "sd", "nvme"];
const rank = ({ bus, target }: { bus: string; target: string }) =>
  `${String(buses.indexOf(bus) + 1).padStart(2, "0")} ${String(target.length).padStart(3, "0")} ${target}`;
const sorted = <T extends { bus: string; target: string }>(devices: readonly T[]): T[] =>
  [...devices].sort((a, b) => (rank(a) < rank(b) ? -1 : 1));

/** The definition as a hypervisor accepts it: devices in its order, no duplicate boot number, something to boot.
 * @throws Error with the hypervisor's message */
export function normaliseDefinition<Definition extends Pick<VmDefinition, "disks" | "drives" | "boot">>(
  definition: Definition,
): Definition {
  const devices = [...definition.disks, ...definition.drives];
  const double = devices.find(({ target }, index) => devices.findIndex((other) => other.target === target) !== index);
  if (double) throw new Error(`target '${double.target}' duplicated`);
  const { style, entries } = definition.boot;
  for (const { device, order } of entries) {
    if (style === "device" && entries.some((other) => other.device !== device && other.order === order)) {
      throw new Error(`boot order ${order} is already used by another device`);
    }
    if ((style === "os") !== device.startsWith("class:")) {
      throw new Error("per-device boot elements cannot be used together with os/boot elements");
    }
  }
  const boot = entries.length
    ? definition.boot
    : ({ style: "os", entries: [{ device: "class:hd", order: 1 }] } as const);
  return { ...definition, disks: sorted(definition.disks), drives: sorted(definition.drives), boot };
}

/** JSON with sorted keys: the same text for the same value, whatever the order of its keys. */
export function canonicalJson(value: unknown): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "";
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join()}]`;
  const entries = Object.entries(value).filter(([, inner]) => inner !== undefined);
  return `{${entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, inner]) => `${JSON.stringify(key)}:${canonicalJson(inner)}`)}}`;
}
