/** Evidence that an installation is complete. Pure. */
import { z } from "zod";

/** Of `get_installation_status`. */
export const Status = z.object({
  installation_status: z.string(),
  last_run: z.object({ run: z.string(), purpose: z.string(), device: z.string() }).optional(),
});

/** Of `get_vm`. */
export const Booted = z.object({
  boot_order: z.string().optional(),
  current_boot_device: z.string().optional(),
  current_boot_certainty: z.string().optional(),
});

/** Of `get_guest_info`: untrusted text of the guest. */
export const Guest = z.object({
  agent: z.string(),
  system_disk: z.string().optional(),
  filesystems: z.array(z.object({ mountpoint: z.string(), type: z.string(), disks: z.array(z.string()) })).default([]),
});

/** Of `get_disk_info`. */
export const Disk = z.object({
  disk: z.string(),
  verdict: z.string().optional(),
  written_in_run: z.boolean().optional(),
});

/** Root file systems of live systems: they are lost with the power, or are on the medium. */
const passing = /^(overlay(fs)?|aufs|unionfs|squashfs|erofs|iso9660|cdfs|udf|tmpfs|ramfs|rootfs|devtmpfs)$/i;

/** A run that was booted from the medium may still have its root on the disk, for example a rescue system. */
export const isFromDisk = (vm: z.infer<typeof Booted>): boolean =>
  vm.current_boot_device === "hd" && (vm.current_boot_certainty === "confirmed" || vm.boot_order === "hd");

/** Strong evidence: the running system is on the VM's own disk. Valid only for a run that was booted from the disk. */
export function rootOnDisk({ filesystems, system_disk: disk }: z.infer<typeof Guest>): string | undefined {
  const root = filesystems.find(({ mountpoint }) => mountpoint === "/" || /^c:[\\/]?$/i.test(mountpoint));
  if (!root || disk === undefined || !root.disks.includes(disk) || passing.test(root.type)) return undefined;
  const type = /^[\w.+-]{1,32}$/.test(root.type) ? ` (${root.type})` : "";
  return `the guest's agent has ${root.mountpoint}${type} on the VM's own disk ${disk}, in a run that was booted from the disk`;
}

/** Weak evidence, since installers also reboot in the middle, after the boot record and before the end. */
export function bootRecord(ended: string, disk: z.infer<typeof Disk>): string | undefined {
  if (disk.verdict !== "boots" || disk.written_in_run === false) return undefined;
  return `the guest ${ended} in the run that installs, after it wrote a boot record to disk ${disk.disk}`;
}
