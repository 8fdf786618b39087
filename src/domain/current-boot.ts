/** What the running VM was started from. */
import { rolesFor } from "./boot-rules.ts";
import type { State } from "./operation.ts";

export type CurrentBoot = Readonly<{ device: "cdrom" | "hd"; certainty: "predicted" | "confirmed" }>;

/** More than firmware reads while it looks whether a CD-ROM can be booted at all (volume descriptors and boot
 * catalogue), less than any boot image with what it loads. */
const BOOTED_READ_BYTES = 16 * 1024;

/** Absent when the VM is off, or when this run was started elsewhere and its block statistics say nothing. */
export function currentBootDevice(state: State): CurrentBoot | undefined {
  const { vm, record } = state;
  if (!vm?.run) return undefined;
  const roles = rolesFor(state);
  const read = (target: string | undefined) => (target === undefined ? 0 : (vm.readBytes?.[target] ?? 0));
  const [cdrom, hd] = [read(roles.isoDrive), read(roles.systemDisk)];
  const started = record?.currentRun?.run === vm.run ? record.currentRun.device : "unknown";
  if (started === "cdrom" && cdrom > 0)
    return { device: "cdrom", certainty: cdrom >= BOOTED_READ_BYTES ? "confirmed" : "predicted" };
  if (started === "hd" && cdrom < BOOTED_READ_BYTES)
    return { device: "hd", certainty: hd > 0 ? "confirmed" : "predicted" };
  if (cdrom >= BOOTED_READ_BYTES && hd === 0) return { device: "cdrom", certainty: "confirmed" };
  if (hd >= BOOTED_READ_BYTES && cdrom === 0) return { device: "hd", certainty: "confirmed" };
  if (started === "unknown") return undefined;
  return { device: started, certainty: "predicted" };
}
