/** The domain's interface to the images of one connection. */
import type { DiskFact, IsoFact } from "../model/image-fact.ts";
import type { ImageIdentity, ImageLink, ImageRef } from "../model/image-ref.ts";

export type Space = Readonly<{ freeBytes: number; totalBytes: number }>;
/** The images of one connection, on the host of its VMs. Every path is resolved (symbolic links included) and confined
 * to the connection's directories before it is opened. */
export interface Images {
  readonly imageDirectory: string;
  readonly isoDirectories: readonly string[];
  /** The path of this VM's file of this kind: `<images>/<uuid>.<extension>`. */
  pathFor(uuid: string, extension: string): string;
  /** Every ISO in the library, sorted by path, probed. */
  isos(signal?: AbortSignal): Promise<IsoFact[]>;
  /** The absolute path of an ISO given by path or by its name in the library.
   * @throws DomainError ISO_OUTSIDE_LIBRARY, ISO_NOT_FOUND */
  resolveIso(pathOrName: string): Promise<string>;
  /** Facts of one ISO; never throws because of the file's content. */
  iso(path: string, signal?: AbortSignal): Promise<IsoFact>;
  /** Facts of one disk image; never throws because of the file's content. `check` also looks for corruption: it reads
   * the image's tables and must not be set while a VM writes to the image. */
  disk(path: string, options?: { check?: boolean; signal?: AbortSignal }): Promise<DiskFact>;
  /** The image that a definition names by this path, without any I/O. */
  ref(name: string): ImageRef;
  /** The name for people. */
  show(ref: ImageRef): string;
  /** The image's identity; never throws because of the file's content. */
  identify(ref: ImageRef): Promise<ImageIdentity>;
  /** The image and its backing images, read from the headers alone, which is cheap enough for a thousand of them.
   * @throws DomainError IMAGE_REFUSED when the chain cannot be followed to its end */
  chain(ref: ImageRef): Promise<readonly ImageLink[]>;
  createDisk(path: string, sizeBytes: number, signal?: AbortSignal): Promise<void>;
  /** Grows an image that no running VM has open. */
  growDisk(path: string, sizeBytes: number, signal?: AbortSignal): Promise<void>;
  /** Removes a file inside the image directory; a missing file is no error. */
  remove(path: string): Promise<void>;
  space(path?: string): Promise<Space>;
}
