/** The files that a plugin may read: its own program, and never Bootwright's data. */
import { type Dirent, existsSync, readdirSync, realpathSync } from "node:fs";
import { basename, dirname, join, parse, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";

/** The plugin's package with all packages installed beside it, else its directory, else the file alone: the first that does
 * not overlap `excluded`. Targets of symbolic links are added, both of the file and of installed packages. Empty for a
 * program that is loaded over the network. */
export function ownFilesOf(specifier: string, excluded?: string): readonly string[] {
  if (!specifier.startsWith("file:")) return [];
  const path = fileURLToPath(specifier);
  const own = [...new Set([path, real(path)])].map((one) => {
    const candidates = [packageOf(one), dirname(one)].filter((found) => found !== undefined);
    return candidates.find((found) => isFree(found, excluded)) ?? one;
  });
  return [...new Set([...own, ...own.flatMap(linkedIn).filter((found) => isFree(found, excluded))])];
}

const isFree = (path: string, excluded: string | undefined) => excluded === undefined || !overlap(path, excluded);

/** The targets of links among the installed packages, each with all packages beside it. If node_modules is a link itself,
 * its target too. */
function linkedIn(own: string): string[] {
  const modules = basename(own) === "node_modules" ? real(own) : join(real(own), "node_modules");
  const packages = entriesOf(modules).flatMap((entry) =>
    entry.name.startsWith("@") ? entriesOf(join(modules, entry.name)) : [entry],
  );
  const links = packages.filter((entry) => entry.isSymbolicLink() && !entry.name.startsWith("."));
  const targets = links.map(({ parentPath, name }) => real(join(parentPath, name)));
  const elsewhere = [real(modules)].filter((path) => path !== modules);
  return [...elsewhere, ...targets.map((path) => packageOf(path) ?? path)];
}

function entriesOf(directory: string): Dirent[] {
  try {
    return readdirSync(directory, { withFileTypes: true });
  } catch {
    return [];
  }
}

function packageOf(path: string): string | undefined {
  const installed = path.indexOf("/node_modules/");
  if (installed >= 0) return path.slice(0, installed + "/node_modules".length);
  for (let directory = dirname(path); directory !== parse(directory).root; directory = dirname(directory))
    if (isThere(join(directory, "package.json"))) return directory;
  return undefined;
}

/** False where Deno forbids the server to read: a plugin gets nothing there either. */
function isThere(path: string): boolean {
  try {
    return existsSync(path);
  } catch {
    return false;
  }
}

/** Whether one path contains the other, with symbolic links resolved. */
export function overlap(one: string, other: string): boolean {
  const [a, b] = [real(one), real(other)].map((path) => (path.endsWith(sep) ? path : path + sep));
  return a!.startsWith(b!) || b!.startsWith(a!);
}

/** The path with symbolic links resolved, as far as it exists. */
export function real(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    const whole = resolve(path);
    return dirname(whole) === whole ? whole : join(real(dirname(whole)), basename(whole));
  }
}
