/** Which disk is the system disk and which CD-ROM drive is the ISO drive. */
import { rolesOf } from "./boot-order.ts";
import type { State } from "./state.ts";
import { diskOf, driveOf, type Roles } from "./vm.ts";

/** The roles on record, as long as the devices are there that they name; else what the definition itself says. */
export function rolesFor({ vm, record }: State): Roles {
  const recorded = record?.roles ?? {};
  if (!vm) return recorded;
  const { next, live = next } = vm;
  const hasDisk = diskOf(next, recorded.systemDisk) ?? diskOf(live, recorded.systemDisk);
  const hasDrive = driveOf(next, recorded.isoDrive) ?? driveOf(live, recorded.isoDrive);
  return {
    ...rolesOf(next),
    ...(hasDisk && { systemDisk: hasDisk.target }),
    ...(hasDrive && { isoDrive: hasDrive.target }),
  };
}
