/** Detects an image's format by its first bytes, so that QEMU never guesses: the guest controls such a guess. Only
 * qcow2 and raw are supported; other formats are detected so that none is taken for a raw disk. */
import { isQcow2 } from "./qcow2.ts";

/** Bytes that `formatOf` needs to see. */
export const FORMAT_BYTES = 512;

const magics: readonly [format: string, at: number, magic: string][] = [
  ["vmdk", 0, "KDMV"],
  ["vmdk", 0, "COWD"],
  ["vmdk", 0, "# Disk DescriptorFile"],
  ["vhdx", 0, "vhdxfile"],
  ["vpc", 0, "conectix"],
  ["qed", 0, "QED\0"],
  ["vdi", 64, "\x7f\x10\xda\xbe"],
  ["parallels", 0, "WithoutFreeSpace"],
  ["parallels", 0, "WithouFreSpacExt"],
];

/** `raw` for anything without a magic number, an empty file included. */
export function formatOf(head: Buffer): string {
  if (isQcow2(head)) return "qcow2";
  const match = magics.find(([, at, magic]) => head.toString("latin1", at, at + magic.length) === magic);
  return match ? match[0] : "raw";
}
