/** Facts of one ISO. */
import type { IsoFact } from "../domain/model/image-fact.ts";
import type { HostFiles } from "../domain/ports/host-access.ts";
import { errnoOf } from "../host-access/errno.ts";
import type { AccessCheck } from "./access-check.ts";
import { bootsNothing } from "./el-torito.ts";
import type { FactCache } from "./fact-cache.ts";
import { contentVersionOf, fileVersionOf, withFile } from "./image-file.ts";
import { type IsoVolume, readIsoVolume } from "./iso9660.ts";
import { locateFile } from "./locate-file.ts";

export type IsoContext = Readonly<{ access: AccessCheck; files: HostFiles; cache: FactCache<IsoVolume | undefined> }>;

/** Facts of the file at `path`, whatever it is. An ISO that the hypervisor's user cannot reach is `unreadable`, but has
 * the facts that this program could read. The caller decides which paths are allowed.
 * @throws the signal's reason only */
export async function observeIso(
  path: string,
  { access, files, cache }: IsoContext,
  signal?: AbortSignal,
): Promise<IsoFact> {
  signal?.throwIfAborted();
  const found = await locateFile(path, access, { files });
  if (found.state !== "ok") {
    const blocked = found.state === "unreadable" ? { blockedAt: found.blockedAt } : {};
    return { path, state: found.state, ...blocked, ...bootsNothing };
  }
  const { real, stat, blockedAt } = found;
  const known = { path, sizeBytes: Number(stat.size), identity: contentVersionOf(stat) };
  const unreadable = (at: string) => ({ ...known, state: "unreadable" as const, blockedAt: at });
  if (stat.size === 0n) {
    return {
      ...(blockedAt !== undefined ? unreadable(blockedAt) : { ...known, state: "empty" as const }),
      ...bootsNothing,
    };
  }
  try {
    const version = { text: fileVersionOf(stat), changedAtMs: Math.max(Number(stat.mtimeMs), Number(stat.ctimeMs)) };
    const look = () => withFile(files, real, ({ read, sizeBytes }) => readIsoVolume(read, sizeBytes));
    const volume = await cache.get(real, version, look, signal);
    const { truncated, ...boots } = volume ?? { ...bootsNothing, truncated: false };
    const facts = { ...boots, ...(truncated && { truncated }) };
    if (blockedAt !== undefined) return { ...unreadable(blockedAt), ...facts };
    return { ...known, state: volume ? "ok" : "not_iso", ...facts };
  } catch (error) {
    signal?.throwIfAborted();
    if (errnoOf(error) === undefined) throw error;
    return { ...unreadable(blockedAt ?? real), ...bootsNothing };
  }
}
