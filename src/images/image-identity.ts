/** The identity of image files, as the host tells files apart. */
import { basename, dirname, join } from "node:path";
import type { ImageIdentity, ImageRef } from "../domain/model/image-ref.ts";
import type { FileStat, HostFiles } from "../domain/ports/host-access.ts";
import { errnoOf, isUsablePath } from "../host-access/errno.ts";
import { localFiles } from "../host-access/local-files.ts";

export const refOf = (path: string): ImageRef => path as ImageRef;

/** Device and inode, whichever link or mount leads there. A block device is known by its device number, since any number
 * of nodes may stand for one device. */
export const imageIdentityOf = (found: FileStat): ImageIdentity =>
  (found.isBlockDevice() ? `block:${found.rdev}` : `file:${found.dev}:${found.ino}`) as ImageIdentity;

/** Identifies the file at a path. A file that does not exist, or that cannot be looked at, is known by its place: the real
 * path of its directory, and its name. Never throws. */
export async function identify(path: string, files: HostFiles = localFiles): Promise<ImageIdentity> {
  const at = (place: string) => `path:${place}` as ImageIdentity;
  if (!isUsablePath(path)) return at(path);
  try {
    return imageIdentityOf(await files.stat(path));
  } catch (error) {
    // Nobody waits a second time for a file system that does not answer.
    if (errnoOf(error) === "ETIMEDOUT") return at(path);
    const directory = await files.realpath(dirname(path)).catch(() => dirname(path));
    return at(join(directory, basename(path)));
  }
}
