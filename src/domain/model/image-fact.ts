/** Facts about disk images and ISOs. A backend finds them; the boot rules interpret them. */
import type { ImageIdentity } from "./image-ref.ts";

export type DiskFact = Readonly<{
  path: string;
  /** The image's identity, whatever its name; absent for an image that is yet to be made. */
  image?: ImageIdentity;
  state: "ok" | "missing" | "unreadable" | "not_a_file";
  format?: string;
  virtualBytes?: number;
  actualBytes?: number;
  /** `unknown` if the content cannot be read. */
  content: "blank" | "data" | "unknown";
  /** A boot sector with the 55AA signature and code in it. */
  bootsBios?: boolean;
  /** An EFI system partition, in a GPT or an MBR; `undefined` when unknown. */
  bootsUefi?: boolean;
  /** qemu-img check found errors, or the image is marked corrupt. */
  corrupt?: boolean;
  /** From the image itself to its last backing file. */
  chain: readonly string[];
  /** A missing backing or data file that the image names. */
  backingMissing?: string;
  /** Why the image must not be opened: it names a file outside the connection's directories, or is invalid. */
  refused?: string;
  /** Changes whenever the image is replaced or written to: inode, size, time of modification. */
  identity?: string;
}>;
/** `not_iso`: a file without an ISO 9660 volume. */
export type IsoState = "ok" | "missing" | "unreadable" | "not_a_file" | "empty" | "not_iso";
export type IsoFact = Readonly<{
  path: string;
  state: IsoState;
  /** The directory or file that denies access to the hypervisor's user, when `unreadable`. */
  blockedAt?: string;
  sizeBytes?: number;
  /** Guest-made text: untrusted, stripped of control characters, at most 32 characters. */
  volumeLabel?: string;
  /** The boot catalogue has an El Torito boot entry for the platform. */
  bootsBios: boolean;
  bootsUefi: boolean;
  /** The UEFI boot image has a loader signed for Secure Boot; absent when not examined. */
  signed?: boolean;
  /** The volume claims to be larger than the file. */
  truncated?: true;
  /** Changes whenever the file is replaced or rewritten: inode, size, time of modification. It leaves out the time of
   * change, which libvirt moves when it gives the file to QEMU's user. */
  identity?: string;
}>;
