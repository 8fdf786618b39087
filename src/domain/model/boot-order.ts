/** Boot orders: the four presets, how they are read from a definition and how they are written into one. */
import { z } from "zod";
import type { BootConfig, DeviceRef, Roles, VmDefinition } from "./vm.ts";

export const presetOrders = ["cdrom_hd", "hd", "cdrom", "hd_cdrom"] as const;
export const PresetOrder = z
  .enum(presetOrders)
  .describe("cdrom_hd: CD-ROM, then disk. hd: disk only. cdrom: CD-ROM only. hd_cdrom: disk, then CD-ROM");
export type PresetOrder = z.infer<typeof PresetOrder>;
/** `custom`: none of the four, because another device comes first or the order names another disk or drive. */
export const BootOrder = z.enum([...presetOrders, "custom"]);
export type BootOrder = z.infer<typeof BootOrder>;

type Role = "hd" | "cdrom";
const rolesIn: Record<PresetOrder, readonly Role[]> = {
  cdrom_hd: ["cdrom", "hd"],
  hd: ["hd"],
  cdrom: ["cdrom"],
  hd_cdrom: ["hd", "cdrom"],
};

/** The device that a class entry reaches: libvirt boots only the first disk and the first CD-ROM of a class. */
const firstOf = (definition: VmDefinition, ref: DeviceRef): DeviceRef => {
  if (ref === "class:hd" && definition.disks[0]) return `disk:${definition.disks[0].target}`;
  if (ref === "class:cdrom" && definition.drives[0]) return `cdrom:${definition.drives[0].target}`;
  return ref;
};

/** The devices that are tried, first to last, with classes resolved to the device they reach. */
export function bootSequence(definition: VmDefinition): DeviceRef[] {
  const sorted = [...definition.boot.entries].sort((a, b) => a.order - b.order);
  return [...new Set(sorted.map(({ device }) => firstOf(definition, device)))];
}

/** The system disk and the ISO drive of a definition without recorded ones: those with the lowest boot number, else the
 * first. */
export function rolesOf(definition: VmDefinition): Roles {
  const sequence = bootSequence(definition);
  const pick = (kind: string, all: readonly { target: string }[]) =>
    sequence
      .find((ref) => ref.startsWith(kind) && all.some(({ target }) => ref === kind + target))
      ?.slice(kind.length) ?? all[0]?.target;
  const systemDisk = pick("disk:", definition.disks);
  const isoDrive = pick("cdrom:", definition.drives);
  return { ...(systemDisk && { systemDisk }), ...(isoDrive && { isoDrive }) };
}

const refOf = (role: Role, roles: Roles): DeviceRef => {
  if (role === "hd") return roles.systemDisk ? `disk:${roles.systemDisk}` : "class:hd";
  return roles.isoDrive ? `cdrom:${roles.isoDrive}` : "class:cdrom";
};

/** The devices that an order names, first to last. */
export const devicesIn = (order: PresetOrder, roles: Roles): DeviceRef[] =>
  rolesIn[order].map((role) => refOf(role, roles));

/** The boot order of a definition, and the other devices in it. */
export function bootOrderOf(definition: VmDefinition, roles: Roles): { order: BootOrder; others: DeviceRef[] } {
  const sequence = bootSequence(definition);
  const named = new Map<DeviceRef, Role>([
    [refOf("hd", roles), "hd"],
    [refOf("cdrom", roles), "cdrom"],
  ]);
  const others = sequence.filter((ref) => !named.has(ref));
  const ours = sequence.filter((ref) => named.has(ref));
  const ahead = sequence.slice(0, ours.length).some((ref) => !named.has(ref));
  const key = ours.map((ref) => named.get(ref)).join("_");
  const order = presetOrders.find((preset) => rolesIn[preset].join("_") === key);
  return { order: order === undefined || ahead ? "custom" : order, others };
}

/** The boot configuration that makes this definition boot in the given order. Other devices stay, behind ours. The
 * style stays, unless `<os><boot dev>` cannot name the system disk or the ISO drive. */
export function bootWith(definition: VmDefinition, roles: Roles, order: PresetOrder): BootConfig {
  const wanted = rolesIn[order];
  const others = otherEntries(definition, roles);
  if (definition.boot.style === "os" && wanted.every((role) => reachableByClass(definition, roles, role))) {
    const classes = [
      ...wanted.map((role) => `class:${role}`),
      ...others.filter(({ device }) => device.startsWith("class:")).map(({ device }) => device),
    ];
    return { style: "os", entries: classes.map((device, index) => ({ device, order: index + 1 })) };
  }
  const ours = numbered(
    definition,
    wanted.map((role) => refOf(role, roles)),
    others,
  );
  let last = Math.max(0, ...ours.map((entry) => entry.order));
  const behind = others.map(({ reached, order: number }) => {
    last = Math.max(number, last + 1);
    return { device: reached, order: last };
  });
  return { style: "device", entries: [...ours, ...behind] };
}

const reachableByClass = (definition: VmDefinition, roles: Roles, role: Role): boolean => {
  const all = role === "hd" ? definition.disks : definition.drives;
  const target = role === "hd" ? roles.systemDisk : roles.isoDrive;
  return target === undefined || all[0]?.target === target;
};

/** The entries of other devices, each with the device that it reaches. */
const otherEntries = (definition: VmDefinition, roles: Roles) => {
  const ours = new Set([refOf("hd", roles), refOf("cdrom", roles)]);
  const entries = [...definition.boot.entries]
    .sort((a, b) => a.order - b.order)
    .map(({ device, order }) => ({ device, reached: firstOf(definition, device), order }));
  return entries.filter(
    ({ reached }, index) => !ours.has(reached) && entries.findIndex((entry) => entry.reached === reached) === index,
  );
};

/** Numbers for our devices, with as few changes as possible: a device that keeps its number needs no write. */
function numbered(definition: VmDefinition, refs: readonly DeviceRef[], others: readonly { order: number }[]) {
  const limit = others[0]?.order ?? Number.POSITIVE_INFINITY;
  const held = definition.boot.style === "device" ? definition.boot.entries : [];
  const current = (ref: DeviceRef) => held.find(({ device }) => device === ref)?.order;
  const [first, second] = refs;
  const a = first && current(first);
  const b = second && current(second);
  const fits = (numbers: readonly number[]) =>
    numbers.every((n, i) => n >= 1 && n < limit && (i === 0 || n > numbers[i - 1]!));
  const candidates = [
    [a, b],
    [a, a && a + 1],
    [b && b - 1, b],
  ]
    .map((pair) => pair.slice(0, refs.length))
    .filter((pair): pair is number[] => pair.every((n) => n !== undefined));
  const numbers = candidates.find(fits) ?? refs.map((_, index) => index + 1);
  return refs.map((device, index) => ({ device, order: numbers[index]! }));
}
