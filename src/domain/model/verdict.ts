/** Whether the firmware will boot from a device: `boots`, `cannot`, or `unknown`, with the cause as a text. */
import type { DiskFact, IsoFact } from "./image-fact.ts";
import type { Disk, Drive, Firmware } from "./vm.ts";

export type Verdict = Readonly<{ verdict: "boots" | "cannot" | "unknown"; cause: string }>;

const boots = (cause: string): Verdict => ({ verdict: "boots", cause });
const cannot = (cause: string): Verdict => ({ verdict: "cannot", cause });
const unknown = (cause: string): Verdict => ({ verdict: "unknown", cause });
const named = (firmware: Firmware) => (firmware === "bios" ? "BIOS" : "UEFI");

/** Whether the definition declares another format than the image's header has. Not known where either says nothing. */
export const isMisdeclared = ({ format }: Disk, fact: DiskFact): boolean =>
  format !== undefined && fact.format !== undefined && format !== fact.format;

export function diskVerdict(disk: Disk | undefined, fact: DiskFact | undefined, firmware: Firmware): Verdict {
  if (!disk) return cannot("the VM has no disk");
  if (disk.path === undefined) return unknown("the disk is not a file of this host");
  if (!fact || fact.state === "unreadable") return unknown("the disk image cannot be read");
  if (fact.state !== "ok") return cannot(`the disk image is ${fact.state === "missing" ? "missing" : "not a file"}`);
  // Read as raw, the image begins with its own header; read as another format than its own, it does not open.
  if (isMisdeclared(disk, fact))
    return cannot(`the definition declares the disk as ${disk.format}, and it is ${fact.format}`);
  if (fact.content === "blank") return cannot("the disk is blank");
  if (fact.content === "unknown") return unknown("the content of the disk cannot be read");
  if (firmware !== "bios") {
    if (fact.bootsUefi) return boots("the disk has an EFI system partition");
    return unknown("the disk holds data, and no EFI system partition was found");
  }
  if (fact.bootsBios) return boots("the disk has a boot record");
  // SeaBIOS jumps into a UEFI disk's protective MBR, which carries the signature, and hangs there.
  if (fact.bootsUefi) return unknown("the disk was installed for UEFI; under BIOS it may hang");
  if (fact.bootsBios === false) return cannot("the disk holds data and no boot record");
  return unknown("the boot record of the disk cannot be read");
}

export function mediaVerdict(drive: Drive | undefined, fact: IsoFact | undefined, firmware: Firmware): Verdict {
  if (!drive) return cannot("the VM has no CD-ROM drive");
  if (drive.path === undefined) return cannot("the tray is empty");
  if (!fact) return unknown("the ISO has not been examined");
  if (fact.state === "missing") return cannot("the ISO file is missing");
  if (fact.state === "unreadable")
    return cannot(`the hypervisor cannot read the ISO${fact.blockedAt ? ` (${fact.blockedAt} denies access)` : ""}`);
  if (fact.state !== "ok") return cannot("the file is not an ISO 9660 image");
  if (!fact.bootsBios && !fact.bootsUefi) return cannot("the ISO has no boot record");
  if (!(firmware === "bios" ? fact.bootsBios : fact.bootsUefi)) {
    return cannot(`the ISO has no boot record for ${named(firmware)}`);
  }
  if (firmware === "uefi_secure" && fact.signed !== true) return unknown("Secure Boot may reject the ISO's loader");
  return boots(`the ISO has a boot record for ${named(firmware)}`);
}
