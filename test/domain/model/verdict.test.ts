import { describe, expect, test } from "vitest";
import type { DiskFact, IsoFact } from "../../../src/domain/model/image-fact.ts";
import { diskVerdict, mediaVerdict } from "../../../src/domain/model/verdict.ts";
import type { Disk, Drive, Firmware } from "../../../src/domain/model/vm.ts";
import { biosDisk, blankDisk, disk, diskFact, drive, ISO, isoFact, missingDisk, uefiDisk } from "../fixture.ts";

const { path: _none, ...pathless } = disk();

describe("diskVerdict()", () => {
  const data = diskFact({ content: "data" });
  const cases: [string, Disk | undefined, DiskFact | undefined, Firmware, string, string][] = [
    ["no disk", undefined, undefined, "bios", "cannot", "the VM has no disk"],
    ["a disk on the network", pathless, undefined, "bios", "unknown", "the disk is not a file of this host"],
    ["an image that nobody looked at", disk(), undefined, "bios", "unknown", "the disk image cannot be read"],
    [
      "an unreadable image",
      disk(),
      diskFact({ state: "unreadable", content: "unknown" }),
      "bios",
      "unknown",
      "the disk image cannot be read",
    ],
    ["a missing image", disk(), missingDisk, "bios", "cannot", "the disk image is missing"],
    ["a directory", disk(), diskFact({ state: "not_a_file" }), "bios", "cannot", "the disk image is not a file"],
    ["a blank disk", disk(), blankDisk, "bios", "cannot", "the disk is blank"],
    ["a blank disk", disk(), blankDisk, "uefi", "cannot", "the disk is blank"],
    [
      "unknown content",
      disk(),
      diskFact({ content: "unknown" }),
      "uefi",
      "unknown",
      "the content of the disk cannot be read",
    ],
    ["a BIOS disk", disk(), biosDisk, "bios", "boots", "the disk has a boot record"],
    ["a UEFI disk", disk(), uefiDisk, "bios", "unknown", "the disk was installed for UEFI; under BIOS it may hang"],
    [
      "a disk for both",
      disk(),
      diskFact({ content: "data", bootsBios: true, bootsUefi: true }),
      "bios",
      "boots",
      "the disk has a boot record",
    ],
    [
      "data without a boot record",
      disk(),
      diskFact({ content: "data", bootsBios: false, bootsUefi: false }),
      "bios",
      "cannot",
      "the disk holds data and no boot record",
    ],
    [
      "data whose boot record cannot be read",
      disk(),
      data,
      "bios",
      "unknown",
      "the boot record of the disk cannot be read",
    ],
    ["a UEFI disk", disk(), uefiDisk, "uefi", "boots", "the disk has an EFI system partition"],
    ["a UEFI disk", disk(), uefiDisk, "uefi_secure", "boots", "the disk has an EFI system partition"],
    ["a BIOS disk", disk(), biosDisk, "uefi", "unknown", "the disk holds data, and no EFI system partition was found"],
  ];
  test.each(cases)("diskVerdict() judges %s", (_what, given, fact, firmware, verdict, cause) => {
    expect(diskVerdict(given, fact, firmware)).toEqual({ verdict, cause });
  });
});

describe("mediaVerdict()", () => {
  const full = drive({ path: ISO });
  const cases: [string, Drive | undefined, IsoFact | undefined, Firmware, string, string][] = [
    ["no drive", undefined, undefined, "bios", "cannot", "the VM has no CD-ROM drive"],
    ["an empty tray", drive(), undefined, "bios", "cannot", "the tray is empty"],
    ["an ISO that nobody looked at", full, undefined, "bios", "unknown", "the ISO has not been examined"],
    ["a missing ISO", full, isoFact({ state: "missing" }), "bios", "cannot", "the ISO file is missing"],
    [
      "an unreadable ISO",
      full,
      isoFact({ state: "unreadable" }),
      "bios",
      "cannot",
      "the hypervisor cannot read the ISO",
    ],
    [
      "an ISO in a closed directory",
      full,
      isoFact({ state: "unreadable", blockedAt: "/root" }),
      "bios",
      "cannot",
      "the hypervisor cannot read the ISO (/root denies access)",
    ],
    ["a directory", full, isoFact({ state: "not_a_file" }), "bios", "cannot", "the file is not an ISO 9660 image"],
    ["a file of no bytes", full, isoFact({ state: "empty" }), "bios", "cannot", "the file is not an ISO 9660 image"],
    ["another file", full, isoFact({ state: "not_iso" }), "bios", "cannot", "the file is not an ISO 9660 image"],
    [
      "an ISO of data",
      full,
      isoFact({ bootsBios: false, bootsUefi: false }),
      "bios",
      "cannot",
      "the ISO has no boot record",
    ],
    ["a UEFI ISO", full, isoFact({ bootsBios: false }), "bios", "cannot", "the ISO has no boot record for BIOS"],
    ["a BIOS ISO", full, isoFact({ bootsUefi: false }), "uefi", "cannot", "the ISO has no boot record for UEFI"],
    ["a BIOS ISO", full, isoFact({ bootsUefi: false }), "bios", "boots", "the ISO has a boot record for BIOS"],
    ["a UEFI ISO", full, isoFact({ bootsBios: false }), "uefi", "boots", "the ISO has a boot record for UEFI"],
    ["an unsigned ISO", full, isoFact({ signed: false }), "uefi", "boots", "the ISO has a boot record for UEFI"],
    [
      "an unsigned ISO",
      full,
      isoFact({ signed: false }),
      "uefi_secure",
      "unknown",
      "Secure Boot may reject the ISO's loader",
    ],
    ["a signed ISO", full, isoFact({ signed: true }), "uefi_secure", "boots", "the ISO has a boot record for UEFI"],
  ];
  test.each(cases)("mediaVerdict() judges %s", (_what, given, fact, firmware, verdict, cause) => {
    expect(mediaVerdict(given, fact, firmware)).toEqual({ verdict, cause });
  });
});
