/** Determines the system disk and the ISO drive. */
import { rolesOf } from "./boot-order.ts";
import type { State } from "./state.ts";
import { diskOf, driveOf, type Roles } from "./vm.ts";

/** The roles on record, if the devices that they name exist; otherwise those that the definition implies. */
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
