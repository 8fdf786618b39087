/** What the domain needs of the images of one connection. */
import type { DiskFact, IsoFact } from "../model/image-fact.ts";
import type { ImageIdentity, ImageLink, ImageRef } from "../model/image-ref.ts";

export type Space = Readonly<{ freeBytes: number; totalBytes: number }>;
/** The images of one connection, where its VMs run. Every path is resolved (symbolic links included) and held inside
 * the connection's directories before anything opens it. */
export interface Images {
  readonly imageDirectory: string;
  readonly isoDirectories: readonly string[];
  /** Where the file of this kind belongs for this VM: `<images>/<uuid>.<extension>`. */
  pathFor(uuid: string, extension: string): string;
  /** Every ISO in the library, sorted by path, probed. */
  isos(signal?: AbortSignal): Promise<IsoFact[]>;
  /** The absolute path of an ISO given by path or by its name in the library.
   * @throws DomainError ISO_OUTSIDE_LIBRARY, ISO_NOT_FOUND */
  resolveIso(pathOrName: string): Promise<string>;
  /** Facts of one ISO; never throws for what the file is. */
  iso(path: string, signal?: AbortSignal): Promise<IsoFact>;
  /** Facts of one disk image; never throws for what the file is. `check` also looks for corruption, which reads the
   * image's tables and must not be asked for while a VM writes to it. */
  disk(path: string, options?: { check?: boolean; signal?: AbortSignal }): Promise<DiskFact>;
  /** The image that a definition names so. Nothing is looked at. */
  ref(name: string): ImageRef;
  /** The name as a person reads it. */
  show(ref: ImageRef): string;
  /** Which image it is; never throws for what the file is. */
  identify(ref: ImageRef): Promise<ImageIdentity>;
  /** The image and the images that it stands on, from the headers alone: cheap enough for a thousand of them.
   * @throws DomainError IMAGE_REFUSED where the chain cannot be followed to its end */
  chain(ref: ImageRef): Promise<readonly ImageLink[]>;
  createDisk(path: string, sizeBytes: number, signal?: AbortSignal): Promise<void>;
  /** Grows an image that no running VM has open. */
  growDisk(path: string, sizeBytes: number, signal?: AbortSignal): Promise<void>;
  /** Removes a file inside the image directory; a missing file is no error. */
  remove(path: string): Promise<void>;
  space(path?: string): Promise<Space>;
}
