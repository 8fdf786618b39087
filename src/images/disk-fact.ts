/** Facts of one disk image. */

import { DomainError } from "../domain/error.ts";
import type { DiskFact } from "../domain/model/image-fact.ts";
import type { HostFiles } from "../domain/ports/host-access.ts";
import { errnoOf } from "../host-access/errno.ts";
import type { AccessCheck } from "./access-check.ts";
import { type Chain, type References, walkChain } from "./chain.ts";
import { type Content, readContent } from "./disk-content.ts";
import type { FactCache } from "./fact-cache.ts";
import { FORMAT_BYTES, formatOf } from "./format.ts";
import { contentVersionOf, withFile } from "./image-file.ts";
import { identify, imageIdentityOf } from "./image-identity.ts";
import { locateFile } from "./locate-file.ts";
import { readQcow2Header } from "./qcow2.ts";
import type { Format, QemuImg } from "./qemu-img.ts";

export type DiskContext = Readonly<{
  access: AccessCheck;
  files: HostFiles;
  cache: FactCache<Content>;
  headers?: FactCache<References>;
  qemuImg: QemuImg;
  /** Directories that may contain backing and data files. */
  allowedChain: readonly string[];
}>;

/** Format and size from the image's first bytes. QEMU's guess at the format is never used.
 * @throws the read's error */
export async function readDiskHead(files: HostFiles, real: string): Promise<{ format: string; virtualBytes?: number }> {
  return withFile(files, real, async ({ read, sizeBytes, stat }) => {
    const format = formatOf(await read(0, FORMAT_BYTES));
    if (format === "raw") return { format, ...(stat.isFile() && { virtualBytes: sizeBytes }) };
    const header = format === "qcow2" ? await readQcow2Header(read) : undefined;
    return { format, ...(header && "virtualBytes" in header && { virtualBytes: header.virtualBytes }) };
  });
}

/** The result, or undefined after an expected failure. A defect or an abort is thrown. */
async function undefinedIfFailed<T>(work: Promise<T>, signal?: AbortSignal): Promise<T | undefined> {
  return work.catch((error: unknown) => {
    signal?.throwIfAborted();
    if (error instanceof DomainError || errnoOf(error) !== undefined) return undefined;
    throw error;
  });
}

const worksWith = (format: string): format is Format => format === "qcow2" || format === "raw";

function lookAtContent(
  { files, qemuImg }: Pick<DiskContext, "files" | "qemuImg">,
  real: string,
  { format, virtualBytes }: Readonly<{ format: Format; virtualBytes: number }>,
  signal: AbortSignal,
) {
  const readRaw = (position: number, length: number) => withFile(files, real, ({ read }) => read(position, length));
  const readQcow2 = (position: number, length: number) => qemuImg.read(real, format, position, length, signal);
  return readContent({
    virtualBytes,
    read: format === "raw" ? readRaw : readQcow2,
    map: () => qemuImg.map(real, format, signal),
  });
}

/** Facts of the image at `path`, whatever it is. A running VM may use it, except with `check`. An image whose chain
 * must not be opened is `unreadable`, with its chain as far as it was walked.
 * @throws the signal's reason only */
export async function observeDisk(
  path: string,
  { access, files, cache, headers, qemuImg, allowedChain }: DiskContext,
  { check = false, signal }: { check?: boolean; signal?: AbortSignal | undefined } = {},
): Promise<DiskFact> {
  signal?.throwIfAborted();
  const found = await locateFile(path, access, { files, blockDevices: true });
  if (found.state !== "ok")
    return { path, image: await identify(path, files), state: found.state, content: "unknown", chain: [path] };
  const { real, stat } = found;
  const image = imageIdentityOf(stat);
  const head = await undefinedIfFailed(readDiskHead(files, real), signal);
  if (!head)
    return { path, image, state: "unreadable", content: "unknown", chain: [real], identity: contentVersionOf(stat) };

  const chain: Chain = await walkChain(real, allowedChain, { files, cache: headers });
  const openable =
    chain.refused === undefined && chain.missing === undefined && worksWith(head.format) ? head.format : undefined;
  const virtualBytes =
    head.virtualBytes ??
    (openable && (await undefinedIfFailed(qemuImg.info(real, openable, signal), signal))?.virtualBytes);
  const known = {
    path,
    image,
    format: head.format,
    ...(virtualBytes !== undefined && { virtualBytes }),
    ...(stat.isFile() && { actualBytes: Number(stat.blocks) * 512 }),
    chain: chain.files.length ? chain.files : [real],
    ...(chain.missing !== undefined && { backingMissing: chain.missing }),
    ...(chain.corrupt && { corrupt: true }),
    identity: contentVersionOf(stat),
  };
  if (chain.refused !== undefined) return { ...known, state: "unreadable", content: "unknown", refused: chain.refused };
  const state = found.blockedAt === undefined ? "ok" : "unreadable";
  if (!openable || virtualBytes === undefined || chain.encrypted) return { ...known, state, content: "unknown" };

  const version = { text: chain.version, changedAtMs: chain.changedAtMs };
  const look = (own: AbortSignal) => lookAtContent({ files, qemuImg }, real, { format: openable, virtualBytes }, own);
  const content = (await undefinedIfFailed(cache.get(real, version, look, signal), signal)) ?? {
    content: "unknown" as const,
  };
  const checked =
    check && openable === "qcow2" ? await undefinedIfFailed(qemuImg.check(real, openable, signal), signal) : undefined;
  return { ...known, state, ...content, ...(checked && { corrupt: chain.corrupt || checked.corrupt }) };
}
