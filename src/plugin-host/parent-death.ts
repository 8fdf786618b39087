/** What a worker's process is started through so that it ends with the server, however that ends. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";

/** A worker sees that the server has gone, but not while it is in an endless loop. Nothing where util-linux's setpriv is
 * missing or may not be run, and on Deno, which ends its workers itself. */
export async function findParentDeathPrefix(): Promise<readonly string[]> {
  if ("Deno" in globalThis) return [];
  const words = ["setpriv", "--pdeathsig", "KILL", "--"] as const;
  try {
    // In the surroundings in which a worker is started, which has no PATH to be found on.
    await promisify(execFile)(words[0], [...words.slice(1), "true"], { env: {}, timeout: 5_000 });
    return words;
  } catch {
    return [];
  }
}
