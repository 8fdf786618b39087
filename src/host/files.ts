/** Which files a plugin's program consists of. */
import { existsSync } from "node:fs";
import { dirname, join, parse } from "node:path";
import { fileURLToPath } from "node:url";

/** The directory of its package with all that is installed beside it, else the one that it lies in; nothing for a
 * program that is loaded over the network. */
export function ownFilesOf(specifier: string): readonly string[] {
  if (!specifier.startsWith("file:")) return [];
  const path = fileURLToPath(specifier);
  const installed = path.indexOf("/node_modules/");
  if (installed >= 0) return [path.slice(0, installed + "/node_modules".length)];
  for (let directory = dirname(path); directory !== parse(directory).root; directory = dirname(directory))
    if (existsSync(join(directory, "package.json"))) return [directory];
  return [dirname(path)];
}
