/** Finds the file that a path leads to, or the obstacle. */
import type { FileStat, HostFiles } from "../domain/ports/host-access.ts";
import { isUsablePath, meansMissing } from "../host-access/errno.ts";
import { localFiles } from "../host-access/local-files.ts";
import { type AccessCheck, createAccessCheck } from "./access-check.ts";

export type LocatedFile = Readonly<
  | { state: "ok"; real: string; stat: FileStat; blockedAt?: string }
  | { state: "missing" | "not_a_file" }
  /** This program cannot access it; the hypervisor's user may be able to. */
  | { state: "unreadable"; blockedAt: string }
>;

export type LocateOptions = Readonly<{
  /** Default: this host's files. */
  files?: HostFiles | undefined;
  blockDevices?: boolean;
}>;

/** Follows symbolic links. A path that cannot name a file (relative, with NUL) counts as missing. Block devices count
 * as files if `blockDevices` says so; no other special file does. Never throws. */
export async function locateFile(
  path: string,
  access: AccessCheck,
  { files = localFiles, blockDevices = false }: LocateOptions = {},
): Promise<LocatedFile> {
  if (!isUsablePath(path)) return { state: "missing" };
  try {
    const real = await files.realpath(path);
    const found = await files.stat(real);
    if (!found.isFile() && !(blockDevices && found.isBlockDevice())) return { state: "not_a_file" };
    const blockedAt = (await access.blockedAt(real)) ?? (real === path ? undefined : await access.blockedAt(path));
    return { state: "ok", real, stat: found, ...(blockedAt !== undefined && { blockedAt }) };
  } catch (error) {
    if (meansMissing(error)) return { state: "missing" };
    return { state: "unreadable", blockedAt: (await createAccessCheck({ files }).blockedAt(path)) ?? path };
  }
}
