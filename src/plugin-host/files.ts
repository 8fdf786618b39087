/** Which files a plugin may have: those that it consists of, and never those in which Bootwright keeps its own. */
import { type Dirent, existsSync, readdirSync, realpathSync } from "node:fs";
import { basename, dirname, join, parse, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";

/** The directory of its package with all that is installed beside it, else the one that it lies in, else the file alone:
 * the first that does not have `kept` in it. Where the file, or something installed beside it, is a symbolic link, also
 * what that leads to. Nothing for a program that is loaded over the network. */
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

/** What the links among the installed packages lead to, each with all that is installed beside it there; where the
 * directory of them is itself a link, what that leads to. */
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

/** Where Deno lets the server read nothing, there is nothing for a plugin either. */
function isThere(path: string): boolean {
  try {
    return existsSync(path);
  } catch {
    return false;
  }
}

/** Whether one of the two is in the other, through whatever symbolic links. */
export function overlap(one: string, other: string): boolean {
  const [a, b] = [real(one), real(other)].map((path) => (path.endsWith(sep) ? path : path + sep));
  return a!.startsWith(b!) || b!.startsWith(a!);
}

/** The path without symbolic links, as far as it is there. */
export function real(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    const whole = resolve(path);
    return dirname(whole) === whole ? whole : join(real(dirname(whole)), basename(whole));
  }
}
