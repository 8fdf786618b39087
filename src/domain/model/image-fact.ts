/** What is known of a disk image or an ISO, as facts. The boot rules decide what they mean; a backend finds them out. */
import type { ImageIdentity } from "./image-ref.ts";

export type DiskFact = Readonly<{
  path: string;
  /** Which image that is, whatever it is called; absent of one that is yet to be made. */
  image?: ImageIdentity;
  state: "ok" | "missing" | "unreadable" | "not_a_file";
  format?: string;
  virtualBytes?: number;
  actualBytes?: number;
  /** `unknown` where the content cannot be read. */
  content: "blank" | "data" | "unknown";
  /** A boot sector with the 55AA signature and code in it. */
  bootsBios?: boolean;
  /** An EFI system partition, in a GPT or an MBR; `undefined` when it cannot be told. */
  bootsUefi?: boolean;
  /** qemu-img check found errors, or the image is marked corrupt. */
  corrupt?: boolean;
  /** From the image itself to its last backing file. */
  chain: readonly string[];
  /** A backing or data file that is named by the image and is not there. */
  backingMissing?: string;
  /** Why the image must not be opened: it names a file outside the connection's directories, or makes no sense. */
  refused?: string;
  /** Changes whenever the image is replaced or written to: inode, size, time of modification. */
  identity?: string;
}>;
/** `not_iso`: a file without an ISO 9660 volume. */
export type IsoState = "ok" | "missing" | "unreadable" | "not_a_file" | "empty" | "not_iso";
export type IsoFact = Readonly<{
  path: string;
  state: IsoState;
  /** The directory or file that the hypervisor's user is stopped at, when `unreadable`. */
  blockedAt?: string;
  sizeBytes?: number;
  /** Guest-made text: untrusted, stripped of control characters, at most 32 characters. */
  volumeLabel?: string;
  /** An El Torito boot entry for the platform stands in the boot catalogue. */
  bootsBios: boolean;
  bootsUefi: boolean;
  /** The UEFI boot image holds a loader signed for Secure Boot; absent when nobody looked. */
  signed?: boolean;
  /** The volume in it says that it is larger than the file. */
  truncated?: true;
  /** Changes whenever the file is replaced or rewritten: inode, size, time of modification. Not the time of change,
   * which libvirt moves when it gives the file to QEMU's user. */
  identity?: string;
}>;
