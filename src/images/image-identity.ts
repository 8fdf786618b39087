/** The identity of image files, by the host's own identity of files. */
import { basename, dirname, join } from "node:path";
import type { ImageIdentity, ImageRef } from "../domain/model/image-ref.ts";
import type { FileStat, HostFiles } from "../domain/ports/host-access.ts";
import { errnoOf, isUsablePath } from "../host-access/errno.ts";
import { localFiles } from "../host-access/local-files.ts";

export const refOf = (path: string): ImageRef => path as ImageRef;

/** Device and inode, whichever link or mount leads there. A block device is identified by its device number, since it
 * may have any number of nodes. */
export const imageIdentityOf = (found: FileStat): ImageIdentity =>
  (found.isBlockDevice() ? `block:${found.rdev}` : `file:${found.dev}:${found.ino}`) as ImageIdentity;

/** Identifies the file at a path. A missing or inaccessible file is identified by its place: the real path of its
 * directory, and its name. Never throws. */
export async function identify(path: string, files: HostFiles = localFiles): Promise<ImageIdentity> {
  const at = (place: string) => `path:${place}` as ImageIdentity;
  if (!isUsablePath(path)) return at(path);
  try {
    return imageIdentityOf(await files.stat(path));
  } catch (error) {
    // A file system that does not answer is not tried twice.
    if (errnoOf(error) === "ETIMEDOUT") return at(path);
    const directory = await files.realpath(dirname(path)).catch(() => dirname(path));
    return at(join(directory, basename(path)));
  }
}
