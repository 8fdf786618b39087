/** Determines the device that the running VM was booted from. */
import { predict } from "./boot-rules.ts";
import { rolesFor } from "./roles.ts";
import type { State } from "./state.ts";
import type { Roles, Vm } from "./vm.ts";
import type { RunRecord } from "./vm-record.ts";

export type CurrentBoot = Readonly<{ device: "cdrom" | "hd"; certainty: "predicted" | "confirmed" }>;

/** The least that firmware reads of a device that it boots, in bytes: measured with boot images of one sector. It reads
 * less of a device that it only probes: of a CD-ROM SeaBIOS reads at most 8 KiB (volume descriptors and boot
 * catalogue) and OVMF 60 KiB, of a disk OVMF reads at most 10 KiB. A read of a disk's first sector by SeaBIOS does not
 * prove that it ran. */
const BOOTED_BYTES = {
  bios: { cdrom: 10 * 1024, hd: 512 },
  uefi: { cdrom: 72 * 1024, hd: 16 * 1024 },
};
/** More of a disk than any firmware reads without booting it, in bytes. */
const LOADED_BYTES = 16 * 1024;

/** The boot device of the present run. Undefined when the VM is off, or when another program started this run and its
 * block statistics prove nothing. */
export function currentBootDevice(state: State): CurrentBoot | undefined {
  const { vm, record } = state;
  if (!vm?.run) return undefined;
  const roles = rolesFor(state);
  const { readAtReset } = state;
  const read = (target: string | undefined) =>
    target === undefined ? 0 : Math.max(0, (vm.readBytes?.[target] ?? 0) - (readAtReset?.[target] ?? 0));
  const [cdrom, hd] = [read(roles.isoDrive), read(roles.systemDisk)];
  const least = BOOTED_BYTES[(vm.live ?? vm.next).firmware === "bios" ? "bios" : "uefi"];
  const recorded = record?.currentRun?.run === vm.run ? record.currentRun.device : "unknown";
  const started = readAtReset ? resetInto(state, vm, roles) : recorded;
  if (started === "cdrom" && cdrom >= least.cdrom) return { device: "cdrom", certainty: "confirmed" };
  // A system probes every drive it finds, but reads most from its own.
  if (started === "hd" && hd >= least.hd && (cdrom < least.cdrom || hd > cdrom))
    return { device: "hd", certainty: "confirmed" };
  if (cdrom >= least.cdrom && hd < LOADED_BYTES) return { device: "cdrom", certainty: "confirmed" };
  if (hd >= LOADED_BYTES && cdrom < least.cdrom) return { device: "hd", certainty: "confirmed" };
  if (started === "unknown") return undefined;
  return { device: started, certainty: "predicted" };
}

/** The device that the guest's last reset booted, as far as the running definition shows. A disk behind an empty drive
 * gives `unknown`: the drive may have held a medium then. */
function resetInto(state: State, vm: Vm, roles: Roles): RunRecord["device"] {
  const { candidates, boots } = predict(state, vm.live ?? vm.next, roles);
  if (boots.device === "hd") return candidates[0]?.role === "hd" ? "hd" : "unknown";
  return boots.device === "cdrom" ? "cdrom" : "unknown";
}
