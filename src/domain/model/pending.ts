/** Compares a running VM with its next definition. It compares meanings, since the texts always differ. */
import { bootSequence } from "./boot-order.ts";
import type { VmDefinition } from "./vm.ts";

export type PendingField = "boot_order" | "media" | "disks" | "firmware" | "memory" | "cpus";

/** The boot sequence, with network and floppy devices reduced to their class: the per-device style names the first
 * device of such a class. */
const sequence = (definition: VmDefinition) =>
  bootSequence(definition)
    .map((ref) => ref.replace(/^class:network$|^network:.*/, "network").replace(/^class:fd$|^floppy:.*/, "floppy"))
    .join();

export function pendingBetween(live: VmDefinition, next: VmDefinition): PendingField[] {
  const media = (d: VmDefinition) => d.drives.map(({ target, path }) => `${target}=${path ?? ""}`).join();
  const disks = (d: VmDefinition) => d.disks.map(({ target, path }) => `${target}=${path ?? ""}`).join();
  const differs: Record<PendingField, boolean> = {
    boot_order: sequence(live) !== sequence(next),
    media: media(live) !== media(next),
    disks: disks(live) !== disks(next),
    firmware: live.firmware !== next.firmware,
    memory: live.memoryBytes !== next.memoryBytes,
    cpus: live.cpus !== next.cpus,
  };
  return (Object.keys(differs) as PendingField[]).filter((field) => differs[field]);
}
