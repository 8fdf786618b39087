/** The record of a managed VM. */
import type { BootOrder, PresetOrder } from "./boot-order.ts";
import type { AtReboot, InstallationStatus } from "./installation.ts";
import type { Roles } from "./vm.ts";

/** The facts about a managed VM that only the store has and no hypervisor knows. */
export type VmRecord = Readonly<{
  connection: string;
  uuid: string;
  name: string;
  roles: Roles;
  status: InstallationStatus;
  /** The order that an operation requested; drift is measured against it. Absent for adopted and migrated VMs. */
  requestedOrder?: PresetOrder;
  /** Files that Bootwright made for this VM. A deletion may remove only these. */
  ownedFiles: readonly string[];
  /** Identity of the ISO when it was attached; it shows whether the file was replaced since. */
  isoIdentity?: string;
  currentRun?: RunRecord;
  suggestion?: Suggestion;
  /** Fingerprint of the definition that Bootwright last wrote or adopted; absent if an older program did. */
  fingerprint?: string;
  revision: number;
  origin: "created" | "adopted" | "migrated";
  createdAt: string;
  updatedAt: string;
  /** The last observed values, for lists while the backend is away; never used to decide. */
  seen?: Readonly<{
    bootOrder?: BootOrder;
    diskPath?: string;
    diskSizeBytes?: number;
    media?: string;
    bootDevice?: string;
  }>;
}>;
/** The purpose and the boot device of one run. */
export type RunRecord = Readonly<{
  run: string;
  device: "cdrom" | "hd" | "unknown";
  purpose: string;
  startedAt: string;
  /** What to do when the installer reboots; absent: only report it. */
  atReboot?: AtReboot;
  /** Identity of the system disk's image before the run; a different one later means that the guest wrote to it. */
  diskIdentity?: string;
}>;
/** The suggestion that an installation looks complete: by whom, and on which evidence. */
export type Suggestion = Readonly<{ evidence: string; by: string; at: string; run?: string }>;
