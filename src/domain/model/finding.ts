/** Findings: what is remarkable about a VM, whether it blocks, and what would fix it. */
import type { Target } from "./vm.ts";

export const findingCodes = [
  "NOTHING_BOOTS",
  "NO_MEDIA",
  "MEDIA_FIRST_BUT_EMPTY",
  "INSTALLER_LOOP",
  "DISK_BLANK",
  "ISO_MISSING",
  "ISO_UNREADABLE",
  "ISO_TRUNCATED",
  "ISO_CHANGED",
  "ISO_NOT_BOOTABLE",
  "ISO_WRONG_FIRMWARE",
  "SECURE_BOOT_MAY_REJECT",
  "DISK_MISSING",
  "DISK_CORRUPT",
  "DISK_FORMAT_MISMATCH",
  "DISK_REFUSED",
  "DISK_IN_USE",
  "DISK_HAS_CLONES",
  "BACKING_MISSING",
  "SAVED_STATE",
  "UEFI_ENTRY_AT_RISK",
  "NO_CDROM_DRIVE",
  "DIRECT_KERNEL_BOOT",
  "NETWORK_FALLBACK",
  "HOST_SPACE_LOW",
  "PENDING_RESTART",
  "BOOT_ORDER_DRIFT",
  "RUNNING_FROM_MEDIA",
  "INSTALLATION_LOOKS_COMPLETE",
  "DEFINITION_GONE",
  "DEFINITION_REPLACED",
  "DEFINITION_EDITED",
  "RECORD_OUTDATED",
  "RECORD_MISSING",
  "CLAIM_FOREIGN",
  "VM_RENAMED",
] as const;
export type FindingCode = (typeof findingCodes)[number];

/** What a finding can block: a change of the boot order, growth of a disk, an attach, a start, a change of the
 * installation status. */
export type Gate = "change" | "resize" | "attach" | "start" | "status";

type Severity = "error" | "warning" | "info";
type Rule = Readonly<{ severity: Severity; blocks: readonly Gate[]; overridable?: false }>;

/** The table of findings as data. Overriding one of the five that are not overridable would lose data. */
const rules: Record<FindingCode, Rule> = {
  NOTHING_BOOTS: { severity: "error", blocks: ["start"] },
  NO_MEDIA: { severity: "error", blocks: ["change", "start"] },
  MEDIA_FIRST_BUT_EMPTY: { severity: "info", blocks: [] },
  INSTALLER_LOOP: { severity: "warning", blocks: [] },
  DISK_BLANK: { severity: "error", blocks: ["start"] },
  ISO_MISSING: { severity: "error", blocks: ["attach", "start"] },
  ISO_UNREADABLE: { severity: "error", blocks: ["attach", "start"] },
  ISO_TRUNCATED: { severity: "error", blocks: ["attach"] },
  ISO_CHANGED: { severity: "warning", blocks: [] },
  ISO_NOT_BOOTABLE: { severity: "warning", blocks: [] },
  ISO_WRONG_FIRMWARE: { severity: "warning", blocks: [] },
  SECURE_BOOT_MAY_REJECT: { severity: "warning", blocks: [] },
  DISK_MISSING: { severity: "error", blocks: ["change", "resize", "start"], overridable: false },
  DISK_CORRUPT: { severity: "error", blocks: ["change", "resize", "start"], overridable: false },
  DISK_FORMAT_MISMATCH: { severity: "error", blocks: ["start"] },
  DISK_REFUSED: { severity: "error", blocks: ["change", "resize", "start"] },
  DISK_IN_USE: { severity: "error", blocks: ["change", "resize", "start"], overridable: false },
  DISK_HAS_CLONES: { severity: "error", blocks: ["change", "resize", "start"], overridable: false },
  BACKING_MISSING: { severity: "error", blocks: ["change", "resize", "start"], overridable: false },
  SAVED_STATE: { severity: "error", blocks: ["start"] },
  UEFI_ENTRY_AT_RISK: { severity: "error", blocks: ["change", "start"] },
  NO_CDROM_DRIVE: { severity: "error", blocks: ["attach"] },
  DIRECT_KERNEL_BOOT: { severity: "warning", blocks: [] },
  NETWORK_FALLBACK: { severity: "info", blocks: [] },
  HOST_SPACE_LOW: { severity: "warning", blocks: [] },
  PENDING_RESTART: { severity: "info", blocks: [] },
  BOOT_ORDER_DRIFT: { severity: "warning", blocks: [] },
  RUNNING_FROM_MEDIA: { severity: "info", blocks: [] },
  INSTALLATION_LOOKS_COMPLETE: { severity: "info", blocks: [] },
  DEFINITION_GONE: { severity: "error", blocks: [] },
  // A change of the status rewrites the tag, which would erase the trace of what happened.
  DEFINITION_REPLACED: { severity: "warning", blocks: ["status"] },
  DEFINITION_EDITED: { severity: "info", blocks: [] },
  RECORD_OUTDATED: { severity: "warning", blocks: ["status"] },
  RECORD_MISSING: { severity: "info", blocks: [] },
  CLAIM_FOREIGN: { severity: "warning", blocks: ["status"] },
  VM_RENAMED: { severity: "info", blocks: [] },
};

/** A call that fixes a finding. The domain knows fixes as tool names and arguments without knowing the tools. */
export type Fix = Readonly<{ tool: string; arguments: Readonly<Record<string, unknown>> }>;

export type Finding = Readonly<{
  code: FindingCode;
  severity: Severity;
  message: string;
  blocks: readonly Gate[];
  overridable: boolean;
  fixes: readonly Fix[];
}>;

export function finding(code: FindingCode, message: string, fixes: readonly Fix[] = []): Finding {
  const { severity, blocks, overridable = true } = rules[code];
  return { code, severity, message, blocks, overridable, fixes };
}

/** A call on the VM that a finding is about, as a fix. */
export const fixCall = (
  tool: string,
  { target }: Readonly<{ target: Target }>,
  more: Readonly<Record<string, unknown>> = {},
): Fix => ({ tool, arguments: { vm: target.uuid, ...more } });
