/** What the store keeps about a managed VM, and no hypervisor can tell. */
import type { BootOrder, PresetOrder } from "./boot-order.ts";
import type { AtReboot, InstallationStatus } from "./installation.ts";
import type { Roles } from "./vm.ts";

/** What the store knows about a managed VM and no hypervisor can tell. */
export type VmRecord = Readonly<{
  connection: string;
  uuid: string;
  name: string;
  roles: Roles;
  status: InstallationStatus;
  /** The order that an operation asked for; drift exists only against it. Absent for adopted and migrated VMs. */
  requestedOrder?: PresetOrder;
  /** Files that Bootwright made for this VM: all that a deletion may remove. */
  ownedFiles: readonly string[];
  /** Identity of the ISO when it was attached, to notice that the file was replaced since. */
  isoIdentity?: string;
  currentRun?: RunRecord;
  suggestion?: Suggestion;
  /** Of the definition as it was last written or taken by Bootwright; absent where an older program did that. */
  fingerprint?: string;
  revision: number;
  origin: "created" | "adopted" | "migrated";
  createdAt: string;
  updatedAt: string;
  /** What was last observed, for lists while the backend is away; never used to decide. */
  seen?: Readonly<{
    bootOrder?: BootOrder;
    diskPath?: string;
    diskSizeBytes?: number;
    media?: string;
    bootDevice?: string;
  }>;
}>;
/** What one run was started for and from. */
export type RunRecord = Readonly<{
  run: string;
  device: "cdrom" | "hd" | "unknown";
  purpose: string;
  startedAt: string;
  /** What is to be done when the installer reboots; absent: no more than to tell. */
  atReboot?: AtReboot;
  /** Of the system disk's image before it began: another one since then says that the guest wrote to it. */
  diskIdentity?: string;
}>;
/** That an installation looks complete, who says so and on which evidence. */
export type Suggestion = Readonly<{ evidence: string; by: string; at: string; run?: string }>;
