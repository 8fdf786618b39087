/** Which file a path leads to, as the host tells files apart. */
import { basename, dirname, join } from "node:path";
import type { ImageIdentity, ImageRef } from "../domain/model/image-ref.ts";
import type { FileStat, HostFiles } from "../domain/ports/host-access.ts";
import { isUsablePath } from "../host-access/errno.ts";
import { localFiles } from "../host-access/local-files.ts";

export const refOf = (path: string): ImageRef => path as ImageRef;

/** Device and inode, whichever link or mount led there. Of a block device the device that it is: any number of nodes may
 * stand for one. */
export const imageIdentityOf = (found: FileStat): ImageIdentity =>
  (found.isBlockDevice() ? `block:${found.rdev}` : `file:${found.dev}:${found.ino}`) as ImageIdentity;

/** A file that is not there, or cannot be looked at, is known by its place: its directory is followed as far as that is
 * there. Never throws. */
export async function identify(path: string, files: HostFiles = localFiles): Promise<ImageIdentity> {
  const at = (place: string) => `path:${place}` as ImageIdentity;
  if (!isUsablePath(path)) return at(path);
  try {
    return imageIdentityOf(await files.stat(path));
  } catch {
    const directory = await files.realpath(dirname(path)).catch(() => dirname(path));
    return at(join(directory, basename(path)));
  }
}
