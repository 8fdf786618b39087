/** Makes a worker's process end with the server, even if the server is killed. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";

/** The command before a worker's program, for workers in an endless loop: they do not notice that their pipe has closed.
 * Empty if util-linux's setpriv is missing or not executable, and on Deno, which ends its workers itself. */
export async function findParentDeathPrefix(): Promise<readonly string[]> {
  if ("Deno" in globalThis) return [];
  const words = ["setpriv", "--pdeathsig", "KILL", "--"] as const;
  try {
    // A worker is started with an empty environment, so setpriv must be found without PATH.
    await promisify(execFile)(words[0], [...words.slice(1), "true"], { env: {}, timeout: 5_000 });
    return words;
  } catch {
    return [];
  }
}
