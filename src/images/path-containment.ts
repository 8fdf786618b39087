/** Confines paths to directories. The real path decides, since symbolic links defeat a lexical test. A lexical test
 * decides only what a refusal may reveal about a path that does not exist. */

import { basename, dirname, join, resolve } from "node:path";
import { DomainError } from "../domain/error.ts";
import type { HostFiles } from "../domain/ports/host-access.ts";
import { errnoOf, isUsablePath, meansMissing } from "../host-access/errno.ts";
import { localFiles } from "../host-access/local-files.ts";

/** Whether `path` is below `directory`; both must be normalised. The directory is not below itself. */
export function isBelow(path: string, directory: string): boolean {
  const prefix = directory.endsWith("/") ? directory : `${directory}/`;
  return path.startsWith(prefix) && path.length > prefix.length;
}

export const isBelowAny = (path: string, directories: readonly string[]): boolean =>
  directories.some((directory) => isBelow(path, directory));

/** The real paths of the existing directories. A directory whose file system does not answer counts by its own name.
 * Results are not cached, since a mount or a link may change. */
export async function realDirectories(
  directories: readonly string[],
  files: HostFiles = localFiles,
): Promise<string[]> {
  const real = await Promise.all(
    directories.map((directory) =>
      files
        .realpath(directory)
        .catch((error: unknown) => (errnoOf(error) === "ETIMEDOUT" ? resolve(directory) : undefined)),
    ),
  );
  return [...new Set(real.filter((path) => path !== undefined))];
}

/** The real place of a file that may not exist yet: the real path of its directory, and its own name. `undefined` if
 * the directory does not exist.
 * @throws DomainError PATH_OUTSIDE_IMAGES unless that place is below `directory` */
export async function pathInside(
  path: string,
  directory: string,
  files: HostFiles = localFiles,
): Promise<string | undefined> {
  const outside = () => new DomainError("PATH_OUTSIDE_IMAGES", { path, directory });
  if (!isUsablePath(path) || path.split("/").includes("..") || /[/.]$/.test(path)) throw outside();
  const parent = await files.realpath(dirname(path)).catch((error: unknown) => {
    if (meansMissing(error) && isBelow(resolve(path), resolve(directory))) return undefined;
    throw outside();
  });
  if (parent === undefined) return undefined;
  const place = join(parent, basename(path));
  const [real] = await realDirectories([directory], files);
  if (real === undefined || !isBelow(place, real)) throw outside();
  return place;
}
