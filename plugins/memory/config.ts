/** The settings of a memory connection, and its initial VMs, disks and ISOs as plain data. */
import { z } from "zod";
import { ClaimTag, type VmDefinition } from "../../src/plugin.ts";

const GIB = 1024 ** 3;
const MIB = 1024 ** 2;

/** A connection's settings are text where they come from the command line. */
const bool = z.union([z.boolean(), z.stringbool()]);
const count = z.coerce.number().int().nonnegative();

/** How a guest behaves: a setting of the connection for every VM, which a VM's own overrides. */
export const Guest = z.object({
  /** The installed system reacts to the power button; firmware without anything to boot never does. */
  honoursShutdown: bool.default(true),
  /** An installer or live system reacts to it as well; many do not. */
  installerHonoursShutdown: bool.default(false),
  shutdownMs: count.default(10),
  /** How long an installer runs until the system is on the disk; `never`: until a test ends it. */
  installsAfterMs: z.union([z.literal("never"), count]).default(2_000),
  /** The guest reboots once it is installed, as installers do. */
  rebootsWhenInstalled: bool.default(true),
  /** A system booted from a medium locks the tray, as live systems do. */
  locksTray: bool.default(false),
  /** The time from the boot of the system on the disk until its agent opens its channel; `never`: it has no agent. */
  agentAfterMs: z.union([z.literal("never"), count]).default("never"),
  /** A system booted from a medium runs that agent as well, as some live systems do. */
  mediumRunsAgent: bool.default(false),
});
export type Guest = Readonly<z.infer<typeof Guest>>;

const Iso = z.object({
  path: z.string(),
  state: z.enum(["ok", "unreadable", "empty", "not_iso"]).default("ok"),
  sizeBytes: count.default(650 * MIB),
  volumeLabel: z.string().max(32).exactOptional(),
  bootsBios: bool.default(false),
  bootsUefi: bool.default(false),
  signed: z.boolean().exactOptional(),
  /** Booting it for an installation puts a system on the disk; others are live systems. */
  installs: bool.default(false),
});
export type IsoSeed = Readonly<z.infer<typeof Iso>>;

const Disk = z.object({
  path: z.string(),
  format: z.enum(["qcow2", "raw"]).default("qcow2"),
  virtualBytes: count.default(20 * GIB),
  content: z.enum(["blank", "data"]).default("blank"),
  bootsBios: bool.default(false),
  bootsUefi: bool.default(false),
  corrupt: z.boolean().default(false),
  backing: z.string().exactOptional(),
});
export type DiskSeed = Readonly<z.infer<typeof Disk>>;

/** Another name of a file. */
const Link = z.object({ path: z.string(), to: z.string() });

/** A whole definition, taken as it is. */
export const Definition = z.custom<VmDefinition>(
  (value) => typeof value === "object" && value !== null && "disks" in value && "drives" in value && "boot" in value,
  "expected a VM definition with disks, drives and boot",
);

const VmSeed = z.object({
  uuid: z.uuid(),
  name: z.string(),
  persistent: z.boolean().default(true),
  next: Definition,
  claim: ClaimTag.exactOptional(),
  /** Started when the connection is opened. */
  running: z.boolean().default(false),
  guest: z
    .custom<Partial<Guest>>((value) => Guest.safeParse(value).success, "expected how the guest behaves")
    .exactOptional(),
});
export type VmSeed = Readonly<z.infer<typeof VmSeed>>;

/** Media of the kinds that matter: one for both firmwares, one that boots nothing, one for UEFI alone, a live system.
 * A name without a slash is a file in the first ISO directory. */
const sampleIsos: z.input<typeof Iso>[] = [
  { path: "installer.iso", volumeLabel: "INSTALLER", bootsBios: true, bootsUefi: true, signed: true, installs: true },
  { path: "installer-uefi.iso", volumeLabel: "INSTALLER_UEFI", bootsUefi: true, installs: true },
  { path: "live.iso", volumeLabel: "LIVE", bootsBios: true, bootsUefi: true, signed: true },
  { path: "drivers.iso", volumeLabel: "DRIVERS", sizeBytes: 40 * MIB },
];

export const Config = z.strictObject({
  /** The image directory. Paths are names here: nothing is read from it or written to it. */
  images: z.string().startsWith("/").exactOptional(),
  isoDirectories: z.array(z.string().startsWith("/")).exactOptional(),
  isos: z.array(Iso).prefault(sampleIsos),
  disks: z.array(Disk).default([]),
  links: z.array(Link).default([]),
  vms: z.array(VmSeed).default([]),
  memoryBytes: count.default(64 * GIB),
  cpus: count.default(16),
  spaceBytes: count.default(1024 * GIB),
  ...Guest.shape,
});
export type Config = Readonly<z.infer<typeof Config>>;
