/** DESIGN's table of findings: each with cases in which it appears, near misses in which it must not, what it blocks and
 * which tools mend it. */
import type { FindingCode, Gate } from "../../src/domain/finding.ts";
import type { State } from "../../src/domain/operation.ts";
import {
  biosDisk,
  DISK,
  definition,
  disk,
  diskFact,
  drive,
  GIB,
  ISO,
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
} from "./fixture.ts";

const iso = isoFact();
const noBoot = isoFact({ bootsBios: false, bootsUefi: false });
export const usage = (more: Partial<{ inUseBy: string[]; clones: string[] }>): NonNullable<State["usage"]> => ({
  [DISK]: { inUseBy: [], clones: [], ...more },
});
export const installed = (given: State): State => ({ ...given, record: record({ status: "Installed" }) });
const live = definition({ boot: presetBoot("cdrom_hd"), drives: [drive({ path: ISO })] });
const runFrom = (device: "cdrom" | "hd", run = "run-1") =>
  record({ currentRun: { run, device, purpose: "install", startedAt: "2026-11-23T10:00:00.000Z" } });

export type Row = Readonly<{
  code: FindingCode;
  blocks: readonly Gate[];
  overridable?: false;
  fixes: readonly string[];
  when: Readonly<Record<string, State>>;
  not: Readonly<Record<string, State>>;
}>;

export const table: readonly Row[] = [
  {
    code: "NOTHING_BOOTS",
    blocks: ["start"],
    fixes: ["attach_iso", "set_boot_order"],
    when: {
      "blank disk, empty tray": offWith("cdrom_hd", {}),
      "blank disk, ISO without a boot record": offWith("hd_cdrom", { iso: noBoot }),
      "ISO for the other firmware": offWith("cdrom_hd", { iso: isoFact({ bootsBios: false }) }),
      "cdrom with an ISO that does not boot": offWith("cdrom", { iso: noBoot }),
      "data without a boot record": offWith("hd", {
        disk: diskFact({ content: "data", bootsBios: false, bootsUefi: false }),
      }),
    },
    not: {
      "a disk that boots": offWith("cdrom_hd", { disk: biosDisk }),
      "a disk of which nobody can tell": offWith("cdrom_hd", { disk: diskFact({ content: "unknown" }) }),
      "an order that NO_MEDIA explains": offWith("cdrom", {}),
      "an order that DISK_BLANK explains": offWith("hd", {}),
      "a network card at the end": offWith(
        "cdrom_hd",
        {},
        { boot: osBoot("class:cdrom", "class:hd", "class:network") },
      ),
    },
  },
  {
    code: "NO_MEDIA",
    blocks: ["change", "start"],
    fixes: ["attach_iso", "set_boot_order"],
    when: {
      "cdrom and an empty tray": offWith("cdrom", { disk: biosDisk }),
      "cdrom and no drive": offWith("cdrom", {}, { drives: [] }),
    },
    not: {
      "cdrom and an ISO": offWith("cdrom", { iso }),
      "cdrom_hd and an empty tray": offWith("cdrom_hd", { disk: biosDisk }),
    },
  },
  {
    code: "MEDIA_FIRST_BUT_EMPTY",
    blocks: [],
    fixes: ["attach_iso", "set_boot_order"],
    when: { "cdrom_hd and an empty tray": offWith("cdrom_hd", { disk: biosDisk }) },
    not: {
      "hd_cdrom and an empty tray": offWith("hd_cdrom", { disk: biosDisk }),
      "cdrom_hd and an ISO": offWith("cdrom_hd", { disk: biosDisk, iso }),
    },
  },
  {
    code: "INSTALLER_LOOP",
    blocks: [],
    fixes: ["set_boot_order", "detach_iso"],
    when: {
      "cdrom_hd, bootable ISO, an OS on the disk": offWith("cdrom_hd", { disk: biosDisk, iso }),
      "the same, whatever the status": installed(offWith("cdrom_hd", { disk: biosDisk, iso })),
      "cdrom alone": offWith("cdrom", { disk: biosDisk, iso }),
      "a guest's reboot, though the next start is mended": state({
        vm: running(live, { next: definition({ boot: presetBoot("hd") }) }),
        disks: { [DISK]: biosDisk },
      }),
    },
    not: {
      "a blank disk": offWith("cdrom_hd", { iso }),
      "disk first": offWith("hd_cdrom", { disk: biosDisk, iso }),
      "an ISO that does not boot": offWith("cdrom_hd", { disk: biosDisk, iso: noBoot }),
      "an empty tray": offWith("cdrom_hd", { disk: biosDisk }),
    },
  },
  {
    code: "DISK_BLANK",
    blocks: ["start"],
    fixes: ["attach_iso", "set_boot_order"],
    when: {
      "hd and a blank disk": offWith("hd", {}),
      "the same with an ISO that is not in the order": offWith("hd", { iso }),
    },
    not: {
      "a disk with data": offWith("hd", { disk: biosDisk }),
      "a disk that cannot be read": offWith("hd", { disk: diskFact({ content: "unknown" }) }),
      hd_cdrom: offWith("hd_cdrom", { iso }),
      "a network card behind the disk": offWith("hd", {}, { boot: osBoot("class:hd", "class:network") }),
    },
  },
  {
    code: "ISO_MISSING",
    blocks: ["attach", "start"],
    fixes: ["detach_iso", "attach_iso"],
    when: {
      "the file is gone": offWith("cdrom_hd", { iso: isoFact({ state: "missing" }) }),
      "the file of a second drive is gone": state({
        vm: vm({ next: definition({ drives: [drive(), drive({ target: "sdb", path: ISO })] }) }),
        isos: { [ISO]: isoFact({ state: "missing" }) },
      }),
    },
    not: {
      "the file is there": offWith("cdrom_hd", { iso }),
      "another ISO of the library is gone": {
        ...offWith("cdrom_hd", {}),
        isos: { [ISO]: isoFact({ state: "missing" }) },
      },
    },
  },
  {
    code: "ISO_UNREADABLE",
    blocks: ["attach", "start"],
    fixes: ["detach_iso", "attach_iso"],
    when: Object.fromEntries(
      (["unreadable", "empty", "not_iso", "not_a_file"] as const).map((is) => [
        is,
        offWith("cdrom_hd", { iso: isoFact({ state: is }) }),
      ]),
    ),
    not: {
      missing: offWith("cdrom_hd", { iso: isoFact({ state: "missing" }) }),
      readable: offWith("cdrom_hd", { iso }),
    },
  },
  {
    code: "ISO_CHANGED",
    blocks: [],
    fixes: ["attach_iso"],
    when: {
      "another identity": {
        ...offWith("cdrom_hd", { iso: isoFact({ identity: "iso-2" }) }),
        record: record({ isoIdentity: "iso-1" }),
      },
    },
    not: {
      "the same identity": { ...offWith("cdrom_hd", { iso }), record: record({ isoIdentity: "iso-1" }) },
      "no identity on record": offWith("cdrom_hd", { iso }),
      "a file that cannot be read any more": {
        ...offWith("cdrom_hd", { iso: isoFact({ state: "missing", identity: "iso-2" }) }),
        record: record({ isoIdentity: "iso-1" }),
      },
    },
  },
  {
    code: "ISO_NOT_BOOTABLE",
    blocks: [],
    fixes: ["detach_iso"],
    when: { "no boot record": offWith("hd_cdrom", { iso: noBoot }) },
    not: {
      "a boot record for the other firmware": offWith("hd_cdrom", { iso: isoFact({ bootsBios: false }) }),
      "not an ISO at all": offWith("hd_cdrom", { iso: isoFact({ ...noBoot, state: "not_iso" }) }),
    },
  },
  {
    code: "ISO_WRONG_FIRMWARE",
    blocks: [],
    fixes: ["attach_iso"],
    when: {
      "a UEFI ISO under BIOS": offWith("cdrom_hd", { iso: isoFact({ bootsBios: false }) }),
      "a BIOS ISO under UEFI": offWith("cdrom_hd", { iso: isoFact({ bootsUefi: false }) }, { firmware: "uefi" }),
      "a BIOS ISO under Secure Boot": offWith(
        "cdrom_hd",
        { iso: isoFact({ bootsUefi: false }) },
        { firmware: "uefi_secure" },
      ),
    },
    not: {
      "an ISO for both": offWith("cdrom_hd", { iso }),
      "an ISO for neither": offWith("cdrom_hd", { iso: noBoot }),
    },
  },
  {
    code: "SECURE_BOOT_MAY_REJECT",
    blocks: [],
    fixes: [],
    when: {
      unsigned: offWith("cdrom_hd", { iso: isoFact({ signed: false }) }, { firmware: "uefi_secure" }),
      "nobody looked": offWith("cdrom_hd", { iso }, { firmware: "uefi_secure" }),
    },
    not: {
      signed: offWith("cdrom_hd", { iso: isoFact({ signed: true }) }, { firmware: "uefi_secure" }),
      "Secure Boot off": offWith("cdrom_hd", { iso: isoFact({ signed: false }) }, { firmware: "uefi" }),
    },
  },
  {
    code: "DISK_MISSING",
    blocks: ["change", "start"],
    overridable: false,
    fixes: [],
    when: {
      "the file is gone": offWith("hd", { disk: missingDisk }),
      "the file of a second disk is gone": {
        ...offWith("hd", { disk: biosDisk }, { disks: [disk(), disk({ target: "vdb", path: "/b" })] }),
        disks: { [DISK]: biosDisk, "/b": { ...missingDisk, path: "/b" } },
      },
    },
    not: {
      "the file cannot be read": offWith("hd", { disk: diskFact({ state: "unreadable", content: "unknown" }) }),
      "the file is there": offWith("hd", { disk: biosDisk }),
    },
  },
  {
    code: "DISK_CORRUPT",
    blocks: ["change", "start"],
    overridable: false,
    fixes: ["get_disk_info"],
    when: { "errors were found": offWith("hd", { disk: { ...biosDisk, corrupt: true } }) },
    not: {
      "none were found": offWith("hd", { disk: { ...biosDisk, corrupt: false } }),
      "nobody checked": offWith("hd", { disk: biosDisk }),
    },
  },
  {
    code: "DISK_IN_USE",
    blocks: ["change", "start"],
    overridable: false,
    fixes: [],
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
        usage: { "/images/other.qcow2": { inUseBy: ["db"], clones: [] } },
      },
    },
  },
  {
    code: "DISK_HAS_CLONES",
    blocks: ["change", "start"],
    overridable: false,
    fixes: [],
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
    blocks: ["change", "start"],
    overridable: false,
    fixes: [],
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
    fixes: [],
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
    fixes: [],
    when: { "this run was started from the ISO": state({ vm: running(live), record: runFrom("cdrom") }) },
    not: {
      "it was started from the disk": state({ vm: running(live), record: runFrom("hd") }),
      "an earlier run was": state({ vm: running(live), record: runFrom("cdrom", "run-0") }),
      "the medium was ejected": state({ vm: running(definition()), record: runFrom("cdrom") }),
    },
  },
];
