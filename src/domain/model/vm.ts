/** A VM, as a backend observes it. */
import { z } from "zod";

export const VmName = z
  .string()
  .min(1)
  .max(64)
  .regex(/^[A-Za-z0-9][\w.-]*$/, "letters, digits, '.', '_' and '-', starting with a letter or a digit")
  .describe("Name of the VM: letters, digits, '.', '_' and '-', at most 64");

/** Names a VM to a tool: its UUID, its name, or `connection/name` where a name alone is ambiguous. */
export const VmRef = z.string().min(1).max(200).describe("The VM: its UUID, its name, or connection/name");

export const Firmware = z
  .enum(["bios", "uefi", "uefi_secure"])
  .describe("bios, uefi (Secure Boot off) or uefi_secure (Secure Boot on, Microsoft keys)");
export type Firmware = z.infer<typeof Firmware>;

/** `paused` includes a guest that the hypervisor stopped on an I/O error; `powerReason` shows it. */
export type Power = "off" | "running" | "paused";

/** `shutdown`: the guest powered off by itself or on request (or reset itself, if resets end the run). `power_cut`: the
 * power was cut. `failed`: it could not start or continue. */
export type StopReason = "shutdown" | "power_cut" | "crashed" | "saved" | "failed";

/** A device that can hold a place in a boot order: `disk:vda`, `cdrom:sda`, `network:52:54:00:…`, or a class of
 * devices in the `<os><boot dev>` style: `class:hd`, `class:cdrom`, `class:network`, `class:fd`. */
export type DeviceRef = string;

/** A hard disk of the VM; `target` is the device name (`vda`) that libvirt sorts and identifies disks by. */
export type Disk = Readonly<{
  target: string;
  bus: string;
  /** Absent for a disk that is not a file or block device of this host, such as network storage. */
  path?: string;
  format?: string;
  readOnly: boolean;
  shareable: boolean;
}>;

/** A CD-ROM drive. An absent `path` means an empty tray. */
export type Drive = Readonly<{ target: string; bus: string; path?: string; tray: "open" | "closed" }>;

/** `os`: `<os><boot dev>` lists classes of devices. `device`: each device carries its own `<boot order>` number. */
export type BootConfig = Readonly<{
  style: "os" | "device";
  /** First to last. `order` is the number in the definition (1, 2, … without meaning beyond its rank). */
  entries: readonly Readonly<{ device: DeviceRef; order: number }>[];
}>;

/** One definition of a VM: what is running (`live`), or what the next cold start will use (`next`). */
export type VmDefinition = Readonly<{
  firmware: Firmware;
  /** The machine family decides the bus of a CD-ROM drive: q35 has SATA, i440fx IDE. */
  machine: "q35" | "i440fx" | "other";
  memoryBytes: number;
  cpus: number;
  /** In the hypervisor's own order (sorted by bus and target), so that "the first disk" means what it means there. */
  disks: readonly Disk[];
  drives: readonly Drive[];
  boot: BootConfig;
  /** The definition starts a kernel directly, so the boot order has no effect. */
  directKernel: boolean;
  /** A guest that resets itself ends its run instead of starting again. */
  resetEndsRun?: true;
  /** Log file of the first serial port, truncated at each cold start. */
  serialLog?: string;
}>;

/** The claim tag in the definition itself. It repeats the record for checks and recovery; the record decides. */
export const ClaimTag = z.object({
  uuid: z.string(),
  revision: z.number().int().nonnegative(),
  status: z.string(),
});
export type ClaimTag = Readonly<z.infer<typeof ClaimTag>>;

export type Vm = Readonly<{
  uuid: string;
  name: string;
  power: Power;
  powerReason?: string;
  /** How the last run of a VM that is off ended, if the hypervisor remembers it. */
  stopReason?: StopReason;
  /** Whether the guest's agent has opened its channel; absent when the VM has no such channel or is off. */
  agent?: boolean;
  /** A transient VM has no definition to come back to once it is off. */
  persistent: boolean;
  /** A managed save image exists: the next start resumes it with its old order and media. */
  savedState: boolean;
  /** Identifies one power cycle; absent when off. */
  run?: string;
  live?: VmDefinition;
  next: VmDefinition;
  /** Bytes read from each device since this run began, by target; the evidence for what was booted. */
  readBytes?: Readonly<Record<string, number>>;
  accelerator: "kvm" | "hvf" | "tcg" | "none";
  /** Keyed hash over the meaning of the `next` definition, without the claim tag. */
  fingerprint: string;
  claim?: ClaimTag;
}>;

/** The devices that the four boot orders refer to, by target. */
export type Roles = Readonly<{ systemDisk?: string; isoDrive?: string }>;

/** Where a VM lives. */
export type Target = Readonly<{ connection: string; uuid: string }>;

export const diskOf = (definition: VmDefinition, target: string | undefined): Disk | undefined =>
  definition.disks.find((disk) => disk.target === target);
export const driveOf = (definition: VmDefinition, target: string | undefined): Drive | undefined =>
  definition.drives.find((drive) => drive.target === target);

/** The definition with one CD-ROM drive's medium replaced. */
export function withMedium(definition: VmDefinition, target: string, path: string | undefined): VmDefinition {
  const drives = definition.drives.map((drive): Drive => {
    if (drive.target !== target) return drive;
    const { path: _replaced, ...rest } = drive;
    return { ...rest, tray: "closed", ...(path !== undefined && { path }) };
  });
  return { ...definition, drives };
}
