/** Which files a plugin may have: those that it consists of, and never those in which Bootwright keeps its own. */
import { existsSync, realpathSync } from "node:fs";
import { basename, dirname, join, parse, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";

/** The directory of its package with all that is installed beside it, else the one that it lies in, else the file alone:
 * the first that does not have `kept` in it. Nothing for a program that is loaded over the network. */
export function ownFilesOf(specifier: string, kept?: string): readonly string[] {
  if (!specifier.startsWith("file:")) return [];
  const path = fileURLToPath(specifier);
  const candidates = [packageOf(path), dirname(path)].filter((one) => one !== undefined);
  return [candidates.find((one) => kept === undefined || !overlap(one, kept)) ?? path];
}

function packageOf(path: string): string | undefined {
  const installed = path.indexOf("/node_modules/");
  if (installed >= 0) return path.slice(0, installed + "/node_modules".length);
  for (let directory = dirname(path); directory !== parse(directory).root; directory = dirname(directory))
    if (existsSync(join(directory, "package.json"))) return directory;
  return undefined;
}

/** Whether one of the two is in the other, through whatever symbolic links. */
export function overlap(one: string, other: string): boolean {
  const [a, b] = [real(one), real(other)].map((path) => (path.endsWith(sep) ? path : path + sep));
  return a!.startsWith(b!) || b!.startsWith(a!);
}

/** The path without symbolic links, as far as it is there. */
function real(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    const whole = resolve(path);
    return dirname(whole) === whole ? whole : join(real(dirname(whole)), basename(whole));
  }
}
