import {
  biosDisk,
  DISK,
  definition,
  diskFact,
  drive,
  ISO,
  isoFact,
  offWith,
  osBoot,
  presetBoot,
  record,
  running,
  state,
  vm,
} from "../fixture.ts";
import { aboutDisksAndState, installed, type Row } from "./finding-table-disks.ts";
import { aboutRecordAndTag } from "./finding-table-repair.ts";

const iso = isoFact();
const noBoot = isoFact({ bootsBios: false, bootsUefi: false });
const live = definition({ boot: presetBoot("cdrom_hd"), drives: [drive({ path: ISO })] });

const aboutOrderAndMedia: readonly Row[] = [
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
    code: "ISO_TRUNCATED",
    blocks: ["attach"],
    fixes: ["detach_iso", "attach_iso"],
    when: { "a volume that ends behind the file": offWith("cdrom_hd", { iso: isoFact({ truncated: true }) }) },
    not: {
      "a whole one": offWith("cdrom_hd", { iso }),
      "a file that is gone": offWith("cdrom_hd", { iso: isoFact({ state: "missing", truncated: true }) }),
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
    fixes: ["attach_iso"],
    when: {
      unsigned: offWith("cdrom_hd", { iso: isoFact({ signed: false }) }, { firmware: "uefi_secure" }),
      "nobody looked": offWith("cdrom_hd", { iso }, { firmware: "uefi_secure" }),
    },
    not: {
      signed: offWith("cdrom_hd", { iso: isoFact({ signed: true }) }, { firmware: "uefi_secure" }),
      "Secure Boot off": offWith("cdrom_hd", { iso: isoFact({ signed: false }) }, { firmware: "uefi" }),
    },
  },
];

export const table: readonly Row[] = [...aboutOrderAndMedia, ...aboutDisksAndState, ...aboutRecordAndTag];
