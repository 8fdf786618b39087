/** The ISO library: lists its files, and resolves a caller's name of one. Answers never name a file outside its
 * directories, and never reveal whether such a file exists. */
import { basename, join, resolve } from "node:path";
import { DomainError } from "../domain/error.ts";
import { nearestFirst } from "../domain/nearest.ts";
import type { DirectoryEntry, HostFiles } from "../domain/ports/host-access.ts";
import { errnoOf, isUsablePath } from "../host-access/errno.ts";
import { localFiles } from "../host-access/local-files.ts";
import { isBelowAny, realDirectories } from "./path-containment.ts";

/** `name` as it stands in the directory; `path` is real. `outside` marks a link that leaves the library. */
export type LibraryEntry = Readonly<{ name: string; path: string; outside: boolean }>;

/** Searched levels of directories below a library directory. Hidden directories are skipped. */
const DEPTH_MAX = 2;
const ISOS_MAX = 2_000;
/** Bounds the walk of a directory with many other files. */
const LOOKED_AT_MAX = 50_000;

async function readDirectory(files: HostFiles, path: string, countMax: number): Promise<readonly DirectoryEntry[]> {
  try {
    return [...(await files.list(path, countMax))].sort((a, b) => (a.name < b.name ? -1 : 1));
  } catch (error) {
    // An unreadable or meanwhile removed directory counts as empty.
    if (errnoOf(error) !== "ETIMEDOUT") return [];
    throw new DomainError("IMAGE_TOOL_FAILED", { command: `list ${path}`, reason: String(error) }, { cause: error });
  }
}

/** Every `*.iso` file below the directories, sorted by path; a link counts as its target.
 * @throws DomainError IMAGE_TOOL_FAILED when the file system does not answer */
export async function listLibrary(
  directories: readonly string[],
  files: HostFiles = localFiles,
): Promise<LibraryEntry[]> {
  const roots = await realDirectories(directories, files);
  const found = new Map<string, LibraryEntry>();
  const queue = roots.map((path) => ({ path, depth: 0 }));
  let left = LOOKED_AT_MAX;
  for (let at = queue.shift(); at && left > 0 && found.size < ISOS_MAX; at = queue.shift()) {
    const entries = await readDirectory(files, at.path, left);
    left -= entries.length;
    for (const entry of entries) {
      const path = join(at.path, entry.name);
      if (entry.isDirectory()) {
        if (at.depth < DEPTH_MAX && !entry.name.startsWith(".")) queue.push({ path, depth: at.depth + 1 });
        continue;
      }
      if (!/\.iso$/i.test(entry.name) || !isUsablePath(path) || found.size >= ISOS_MAX) continue;
      if (entry.isFile()) found.set(path, { name: entry.name, path, outside: false });
      if (!entry.isSymbolicLink()) continue;
      const real = await files.realpath(path).catch(() => undefined);
      if (real !== undefined) found.set(path, { name: entry.name, path: real, outside: !isBelowAny(real, roots) });
    }
  }
  return [...found.values()].sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
}

/** The file's name if only one file has it, else its whole path. */
function knownNames(entries: readonly LibraryEntry[]): string[] {
  const paths = new Map<string, Set<string>>();
  for (const { name, path } of entries) paths.set(name, (paths.get(name) ?? new Set()).add(path));
  return [...paths].flatMap(([name, all]) => (all.size === 1 ? [name] : [...all]));
}

/** The real path of the ISO that a caller names: an absolute path, a path relative to a library directory, or the name
 * of a file anywhere in the library.
 * @throws DomainError ISO_OUTSIDE_LIBRARY, or ISO_NOT_FOUND with the nearest names, or with every candidate's path */
export async function findIso(
  pathOrName: string,
  directories: readonly string[],
  files: HostFiles = localFiles,
): Promise<string> {
  const outside = () => new DomainError("ISO_OUTSIDE_LIBRARY", { path: pathOrName, directories });
  const notFound = async (candidates?: readonly string[]) => {
    const inside = (await listLibrary(directories, files)).filter((entry) => !entry.outside);
    const known = candidates ?? nearestFirst(basename(pathOrName).replace(/\.iso$/i, ""), knownNames(inside));
    return new DomainError("ISO_NOT_FOUND", { iso: pathOrName, known });
  };
  const absolute = pathOrName.startsWith("/");
  if (!isUsablePath(absolute ? pathOrName : `/${pathOrName}`)) throw await notFound();

  if (!pathOrName.includes("/")) {
    const matches = (await listLibrary(directories, files)).filter((entry) => entry.name === pathOrName);
    const paths = [...new Set(matches.filter((entry) => !entry.outside).map((entry) => entry.path))];
    if (paths.length === 1) return paths[0]!;
    if (paths.length === 0 && matches.length > 0) throw outside();
    throw await notFound(paths.length > 1 ? paths : undefined);
  }

  if (!absolute && pathOrName.split("/").includes("..")) throw outside();
  const roots = await realDirectories(directories, files);
  // A path that is lexically outside is not touched at all, so its existence stays hidden and no automount is
  // triggered.
  const named = [...roots, ...directories.map((directory) => resolve(directory))];
  if (absolute && !isBelowAny(resolve(pathOrName), named)) throw outside();
  const places = absolute ? [pathOrName] : roots.map((root) => join(root, pathOrName));
  const real = await Promise.all(places.map((place) => files.realpath(place).catch(() => undefined)));
  const existing = [...new Set(real.filter((path) => path !== undefined))];
  const inside = existing.filter((path) => isBelowAny(path, roots));
  if (inside.length === 1) return inside[0]!;
  if (inside.length > 1) throw await notFound(inside);
  throw existing.length > 0 ? outside() : await notFound();
}
