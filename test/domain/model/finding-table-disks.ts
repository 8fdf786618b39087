/** The second half of the table of findings: disks, the host, and what is on record. */
import type { FindingCode, Gate } from "../../../src/domain/model/finding.ts";
import type { State } from "../../../src/domain/model/state.ts";
import {
  biosDisk,
  DISK,
  definition,
  disk,
  diskFact,
  drive,
  GIB,
  ISO,
  imageAt,
  isoFact,
  missingDisk,
  offWith,
  osBoot,
  presetBoot,
  record,
  running,
  state,
  uefiDisk,
  vm,
} from "../fixture.ts";

const iso = isoFact();
export const usage = (more: Partial<{ inUseBy: string[]; clones: string[] }>): NonNullable<State["usage"]> => ({
  [imageAt(DISK)]: { inUseBy: [], clones: [], ...more },
});
export const installed = (given: State): State => ({ ...given, record: record({ status: "Installed" }) });
const live = definition({ boot: presetBoot("cdrom_hd"), drives: [drive({ path: ISO })] });
const runFrom = (device: "cdrom" | "hd", run = "run-1") =>
  record({ currentRun: { run, device, purpose: "install", startedAt: "2026-11-23T10:00:00.000Z" } });

const suggestion = { evidence: "the disk boots", by: "test", at: "2026-11-23T10:00:00.000Z", run: "run-1" };

export type Row = Readonly<{
  code: FindingCode;
  blocks: readonly Gate[];
  overridable?: false;
  fixes: readonly string[];
  when: Readonly<Record<string, State>>;
  not: Readonly<Record<string, State>>;
}>;

export const aboutDisksAndState: readonly Row[] = [
  {
    code: "DISK_MISSING",
    blocks: ["change", "resize", "start"],
    overridable: false,
    fixes: ["get_disk_info"],
    when: {
      "the file is gone": offWith("hd", { disk: missingDisk }),
      "the file of a second disk is gone": {
        ...offWith("hd", { disk: biosDisk }, { disks: [disk(), disk({ target: "vdb", path: "/b" })] }),
        disks: { [imageAt(DISK)]: biosDisk, "/b": { ...missingDisk, path: "/b" } },
      },
    },
    not: {
      "the file cannot be read": offWith("hd", { disk: diskFact({ state: "unreadable", content: "unknown" }) }),
      "the file is there": offWith("hd", { disk: biosDisk }),
    },
  },
  {
    code: "DISK_CORRUPT",
    blocks: ["change", "resize", "start"],
    overridable: false,
    fixes: ["get_disk_info"],
    when: { "errors were found": offWith("hd", { disk: { ...biosDisk, corrupt: true } }) },
    not: {
      "none were found": offWith("hd", { disk: { ...biosDisk, corrupt: false } }),
      "nobody checked": offWith("hd", { disk: biosDisk }),
    },
  },
  {
    code: "DISK_FORMAT_MISMATCH",
    blocks: ["start"],
    fixes: ["get_disk_info"],
    when: {
      "a qcow2 image is declared as raw": offWith("hd", { disk: biosDisk }, { disks: [disk({ format: "raw" })] }),
      "a raw image is declared as qcow2": offWith("hd", { disk: { ...biosDisk, format: "raw" } }),
    },
    not: {
      "the image is as it is declared": offWith("hd", { disk: biosDisk }),
      "the format of the image is not known": offWith("hd", {
        disk: diskFact({ state: "unreadable", content: "unknown" }),
      }),
    },
  },
  {
    code: "DISK_REFUSED",
    blocks: ["change", "resize", "start"],
    fixes: ["get_disk_info"],
    when: {
      "it names a file outside the directories": offWith("hd", {
        disk: diskFact({ state: "unreadable", content: "unknown", refused: "it names /etc/shadow" }),
      }),
    },
    not: { "it cannot be read": offWith("hd", { disk: diskFact({ state: "unreadable", content: "unknown" }) }) },
  },
  {
    code: "DISK_IN_USE",
    blocks: ["change", "resize", "start"],
    overridable: false,
    fixes: ["stop_vm"],
    when: { "another VM runs on it": { ...offWith("hd", { disk: biosDisk }), usage: usage({ inUseBy: ["db"] }) } },
    not: {
      "no other VM does": { ...offWith("hd", { disk: biosDisk }), usage: usage({}) },
      "it is made to be shared": {
        ...offWith("hd", { disk: biosDisk }, { disks: [disk({ shareable: true })] }),
        usage: usage({ inUseBy: ["db"] }),
      },
      "it is only read": {
        ...offWith("hd", { disk: biosDisk }, { disks: [disk({ readOnly: true })] }),
        usage: usage({ inUseBy: ["db"] }),
      },
      "another file is in use": {
        ...offWith("hd", { disk: biosDisk }),
        usage: { [imageAt("/images/other.qcow2")]: { inUseBy: ["db"], clones: [] } },
      },
    },
  },
  {
    code: "DISK_HAS_CLONES",
    blocks: ["change", "resize", "start"],
    overridable: false,
    fixes: ["get_disk_info"],
    when: {
      "another VM's disk stands on it": { ...offWith("hd", { disk: biosDisk }), usage: usage({ clones: ["clone-1"] }) },
    },
    not: {
      "none does": { ...offWith("hd", { disk: biosDisk }), usage: usage({}) },
      "it is only read": {
        ...offWith("hd", { disk: biosDisk }, { disks: [disk({ readOnly: true })] }),
        usage: usage({ clones: ["clone-1"] }),
      },
    },
  },
  {
    code: "BACKING_MISSING",
    blocks: ["change", "resize", "start"],
    overridable: false,
    fixes: ["get_disk_info"],
    when: { "a file below it is gone": offWith("hd", { disk: { ...biosDisk, backingMissing: "/images/base.qcow2" } }) },
    not: { "the chain is whole": offWith("hd", { disk: { ...biosDisk, chain: [DISK, "/images/base.qcow2"] } }) },
  },
  {
    code: "SAVED_STATE",
    blocks: ["start"],
    fixes: ["start_vm"],
    when: { "off with a saved state": state({ vm: vm({ savedState: true }) }) },
    not: { "off without": state(), "running again": state({ vm: running(live, { savedState: true }) }) },
  },
  {
    code: "UEFI_ENTRY_AT_RISK",
    blocks: ["change", "start"],
    fixes: ["set_boot_order"],
    when: {
      "cdrom alone, installed": installed(offWith("cdrom", { iso }, { firmware: "uefi" })),
      "cdrom alone, an EFI system partition on the disk": offWith(
        "cdrom",
        { disk: uefiDisk, iso },
        { firmware: "uefi_secure" },
      ),
    },
    not: {
      cdrom_hd: installed(offWith("cdrom_hd", { disk: uefiDisk, iso }, { firmware: "uefi" })),
      BIOS: installed(offWith("cdrom", { disk: uefiDisk, iso })),
      "a blank disk": offWith("cdrom", { iso }, { firmware: "uefi" }),
    },
  },
  {
    code: "NO_CDROM_DRIVE",
    blocks: ["attach"],
    fixes: ["attach_iso"],
    when: { "no drive": offWith("hd", { disk: biosDisk }, { drives: [] }) },
    not: { "an empty drive": offWith("hd", { disk: biosDisk }) },
  },
  {
    code: "DIRECT_KERNEL_BOOT",
    blocks: [],
    fixes: [],
    when: { "a kernel of its own": offWith("hd", {}, { directKernel: true }) },
    not: { "no kernel of its own": offWith("hd", { disk: biosDisk }) },
  },
  {
    code: "NETWORK_FALLBACK",
    blocks: [],
    fixes: [],
    when: {
      "behind hd": offWith("hd", { disk: biosDisk }, { boot: osBoot("class:hd", "class:network") }),
      "behind cdrom": offWith("hd", { iso }, { boot: osBoot("class:cdrom", "class:network") }),
    },
    not: {
      "behind both": offWith("hd", { disk: biosDisk }, { boot: osBoot("class:hd", "class:cdrom", "class:network") }),
      "ahead, which is custom": offWith("hd", { disk: biosDisk }, { boot: osBoot("class:network", "class:hd") }),
      "hd alone": offWith("hd", { disk: biosDisk }),
    },
  },
  {
    code: "HOST_SPACE_LOW",
    blocks: [],
    fixes: ["get_disk_info"],
    when: { "less than 1 GiB": state({ freeBytes: GIB - 1 }) },
    not: { "1 GiB": state({ freeBytes: GIB }), "nobody looked": state() },
  },
  {
    code: "PENDING_RESTART",
    blocks: [],
    fixes: ["restart_vm"],
    when: { "another order next": state({ vm: running(live, { next: { ...live, boot: presetBoot("hd") } }) }) },
    not: {
      "the same next": state({ vm: running(live) }),
      "the same order in the other style": state({
        vm: running(live, {
          next: {
            ...live,
            boot: {
              style: "device",
              entries: [
                { device: "cdrom:sda", order: 1 },
                { device: "disk:vda", order: 2 },
              ],
            },
          },
        }),
      }),
    },
  },
  {
    code: "BOOT_ORDER_DRIFT",
    blocks: [],
    fixes: ["set_boot_order"],
    when: {
      "not what was asked for": state({ record: record({ requestedOrder: "hd" }) }),
      "custom now": {
        ...offWith("hd", {}, { boot: osBoot("class:network") }),
        record: record({ requestedOrder: "hd" }),
      },
    },
    not: { "as asked for": state({ record: record({ requestedOrder: "cdrom_hd" }) }), "nobody asked": state() },
  },
  {
    code: "RUNNING_FROM_MEDIA",
    blocks: [],
    fixes: ["restart_vm"],
    when: { "this run was started from the ISO": state({ vm: running(live), record: runFrom("cdrom") }) },
    not: {
      "it was started from the disk": state({ vm: running(live), record: runFrom("hd") }),
      "an earlier run was": state({ vm: running(live), record: runFrom("cdrom", "run-0") }),
      "the medium was ejected": state({ vm: running(definition()), record: runFrom("cdrom") }),
    },
  },
  {
    code: "INSTALLATION_LOOKS_COMPLETE",
    blocks: [],
    fixes: ["complete_installation"],
    when: { "somebody suggested it": state({ record: record({ status: "Installing", suggestion }) }) },
    not: {
      "nobody did": state({ record: record({ status: "Installing" }) }),
      "it was answered": state({ record: record({ status: "Installed", suggestion }) }),
    },
  },
];
