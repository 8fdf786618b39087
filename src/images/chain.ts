/** The files of an image's backing chain, read from their headers alone and confined to the allowed directories.
 * QEMU opens an image only after this walk: a guest can write any header into a raw disk, and a header can name any
 * file. */
import { dirname, resolve } from "node:path";
import type { ImageIdentity } from "../domain/model/image-ref.ts";
import type { HostFiles } from "../domain/ports/host-access.ts";
import { errnoOf, isUsablePath, meansMissing } from "../host-access/errno.ts";
import { localFiles } from "../host-access/local-files.ts";
import type { FactCache } from "./fact-cache.ts";
import { FORMAT_BYTES, formatOf } from "./format.ts";
import { fileVersionOf, withFile } from "./image-file.ts";
import { imageIdentityOf } from "./image-identity.ts";
import { isBelowAny, realDirectories } from "./path-containment.ts";
import { readQcow2Header } from "./qcow2.ts";

const FILES_MAX = 64;

export type Chain = Readonly<{
  /** Real paths, the image itself first; an external data file comes right after its image. */
  files: readonly string[];
  /** The identity of each of the files. */
  identities: readonly ImageIdentity[];
  /** The version of all files; it changes whenever one of them does. */
  version: string;
  /** When any of the files last changed, in ms. */
  changedAtMs: number;
  /** A missing file that an image names; the walk ends there. */
  missing?: string;
  /** The reason why the image must not be opened; the walk ends there. */
  refused?: string;
  corrupt: boolean;
  encrypted: boolean;
}>;

type Reference = Readonly<{ name: string; raw: boolean }>;

/** The references of one file, or why it must not be opened. */
export type References = Readonly<{
  references: readonly Reference[];
  refused?: string;
  corrupt?: boolean;
  encrypted?: boolean;
}>;

async function referencesOf(files: HostFiles, path: string, statedRaw: boolean): Promise<References> {
  return withFile(files, path, async ({ read }) => {
    const format = statedRaw ? "raw" : formatOf(await read(0, FORMAT_BYTES));
    if (format === "raw") return { references: [] };
    if (format !== "qcow2")
      return { references: [], refused: `"${path}" is a ${format} image; only qcow2 and raw are supported` };
    const header = await readQcow2Header(read);
    if ("malformed" in header)
      return { references: [], refused: `"${path}" is not a valid qcow2 image: ${header.malformed}`, corrupt: true };
    const { corrupt, encrypted, dataFile, backing, backingFormat } = header;
    const refuse = (refused: string) => ({ references: [], refused, corrupt, encrypted });
    if (dataFile && dataFile.name === undefined)
      return refuse(`"${path}" has an external data file that it does not name`);
    if (backing !== undefined && backingFormat !== undefined && !["raw", "qcow2"].includes(backingFormat)) {
      return refuse(`"${path}" has a backing file in a format other than qcow2 or raw`);
    }
    const references: Reference[] = [];
    if (dataFile?.name !== undefined) references.push({ name: dataFile.name, raw: true });
    if (backing !== undefined) references.push({ name: backing, raw: backingFormat === "raw" });
    return { references, corrupt, encrypted };
  });
}

/** The path that QEMU would open for a name in an image. `undefined` for `json:{…}`, `nbd://…` and other names that are
 * not paths: QEMU takes the text before a colon for a protocol if no slash precedes it. */
function pathOfReference(name: string, image: string): string | undefined {
  if (name === "" || /^[^/]*:/.test(name)) return undefined;
  const path = resolve(dirname(image), name);
  return isUsablePath(path) ? path : undefined;
}

export type ChainOptions = Readonly<{
  /** Default: this host's files. */
  files?: HostFiles | undefined;
  /** Caches the headers of unchanged files. */
  cache?: FactCache<References> | undefined;
}>;

/** Walks from `path` (absolute; itself not confined) to its last backing file. The result contains any fault of the
 * files.
 * @throws defects only */
export async function walkChain(
  path: string,
  allowed: readonly string[],
  { files: host = localFiles, cache }: ChainOptions = {},
): Promise<Chain> {
  const files: string[] = [];
  const identities: ImageIdentity[] = [];
  const versions: string[] = [];
  const state = { changedAtMs: 0, corrupt: false, encrypted: false };
  const end = (outcome: { missing?: string; refused?: string } = {}): Chain => ({
    files,
    identities,
    version: versions.join(),
    ...state,
    ...outcome,
  });
  if (!isUsablePath(path)) return end({ refused: "its path is not an absolute path" });
  const roots = await realDirectories(allowed, host);
  const queue = [{ path, raw: false }];
  for (let next = queue.shift(); next; next = queue.shift()) {
    const first = files.length === 0;
    const outside = `it refers to "${next.path}", which lies outside the allowed directories`;
    try {
      const real = await host.realpath(next.path);
      if (!first && !isBelowAny(real, roots)) return end({ refused: outside });
      if (files.includes(real)) return end({ refused: `its backing files form a loop at "${real}"` });
      if (files.length >= FILES_MAX) return end({ refused: `its chain has more than ${FILES_MAX} files` });
      const found = await host.stat(real);
      if (!found.isFile() && !(first && found.isBlockDevice()))
        return end({ refused: `"${real}" is not a regular file` });
      files.push(real);
      identities.push(imageIdentityOf(found));
      const version = {
        text: fileVersionOf(found),
        changedAtMs: Math.max(Number(found.ctimeMs), Number(found.mtimeMs)),
      };
      versions.push(version.text);
      state.changedAtMs = Math.max(state.changedAtMs, version.changedAtMs);
      const { raw } = next;
      const read = () => referencesOf(host, real, raw);
      // A block device's times do not reflect writes to it.
      const isKept = cache !== undefined && found.isFile();
      const { references, refused, corrupt, encrypted } = await (isKept
        ? cache.get(`${real}\0${raw}`, version, read)
        : read());
      state.corrupt ||= corrupt ?? false;
      state.encrypted ||= encrypted ?? false;
      if (refused !== undefined) return end({ refused });
      for (const reference of references) {
        const target = pathOfReference(reference.name, real);
        if (target === undefined) return end({ refused: `"${real}" refers to something that is not a file path` });
        queue.push({ path: target, raw: reference.raw });
      }
    } catch (error) {
      if (!meansMissing(error))
        return end({ refused: `"${next.path}" cannot be read (${errnoOf(error) ?? String(error)})` });
      // The answer must not reveal whether a path outside exists.
      const inside = first || isBelowAny(next.path, [...roots, ...allowed.map((directory) => resolve(directory))]);
      return end(inside ? { missing: next.path } : { refused: outside });
    }
  }
  return end();
}
