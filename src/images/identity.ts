/** Which file a path leads to, as the host tells files apart. */
import type { BigIntStats } from "node:fs";
import { realpath, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { ImageIdentity, ImageRef } from "../domain/model/image-ref.ts";
import { isUsablePath } from "./file.ts";
import { patiently } from "./patience.ts";

export const refOf = (path: string): ImageRef => path as ImageRef;

/** Device and inode, whichever link or mount led there. Of a block device the device that it is: any number of nodes may
 * stand for one. */
export const imageIdentityOf = (found: BigIntStats): ImageIdentity =>
  (found.isBlockDevice() ? `block:${found.rdev}` : `file:${found.dev}:${found.ino}`) as ImageIdentity;

/** A file that is not there, or cannot be looked at, is known by its place: its directory is followed as far as that is
 * there. Never throws. */
export async function identify(path: string): Promise<ImageIdentity> {
  const at = (place: string) => `path:${place}` as ImageIdentity;
  if (!isUsablePath(path)) return at(path);
  try {
    return imageIdentityOf(await patiently(() => stat(path, { bigint: true })));
  } catch {
    const directory = await patiently(() => realpath(dirname(path))).catch(() => dirname(path));
    return at(join(directory, basename(path)));
  }
}
