/** Finds the file that a path leads to, and says what stands in the way. */
import type { BigIntStats } from "node:fs";
import { realpath, stat } from "node:fs/promises";
import { isUsablePath, meansMissing } from "./file.ts";
import { patiently } from "./patience.ts";
import { createReach, type Reach } from "./reach.ts";

export type Location = Readonly<
  | { state: "ok"; real: string; stat: BigIntStats; blockedAt?: string }
  | { state: "missing" | "not_a_file" }
  /** We cannot get there ourselves, whatever the hypervisor's user could. */
  | { state: "unreadable"; blockedAt: string }
>;

const own = createReach();

/** Follows symbolic links. A path that could not name a file at all (relative, with NUL) counts as missing; of the files
 * that are no regular ones only block devices count, and only if `blockDevices`. Never throws. */
export async function locate(path: string, reach: Reach, options: { blockDevices?: boolean } = {}): Promise<Location> {
  if (!isUsablePath(path)) return { state: "missing" };
  try {
    const real = await patiently(() => realpath(path));
    const found = await patiently(() => stat(real, { bigint: true }));
    if (!found.isFile() && !(options.blockDevices && found.isBlockDevice())) return { state: "not_a_file" };
    const blockedAt = (await reach.blockedAt(real)) ?? (real === path ? undefined : await reach.blockedAt(path));
    return { state: "ok", real, stat: found, ...(blockedAt !== undefined && { blockedAt }) };
  } catch (error) {
    if (meansMissing(error)) return { state: "missing" };
    return { state: "unreadable", blockedAt: (await own.blockedAt(path)) ?? path };
  }
}
