/** Makes, grows and removes disk image files. */
import { DomainError } from "../domain/error.ts";
import type { ImageLink } from "../domain/model/image-ref.ts";
import type { HostAccess, HostFiles, HostPrograms } from "../domain/ports/host-access.ts";
import { errnoOf, meansMissing } from "../host-access/errno.ts";
import { type ChainOptions, walkChain } from "./chain.ts";
import { readDiskHead } from "./disk-fact.ts";
import { identify, refOf } from "./image-identity.ts";
import { pathInside } from "./path-containment.ts";
import type { QemuImg } from "./qemu-img.ts";

/** A host on which image files are read, made, grown and removed. */
export type ImageHost = HostAccess & Readonly<{ files: HostFiles; programs: HostPrograms }>;

/** Refuses an image larger than its file system. One larger than the free space is allowed, since it is sparse. */
async function requireSpace(host: ImageHost, path: string, neededBytes: number): Promise<void> {
  const { freeBytes, totalBytes } = await host.space(path);
  if (neededBytes > totalBytes) throw new DomainError("HOST_SPACE_LACKING", { path, neededBytes, freeBytes });
}

function requireSize(sizeBytes: number): void {
  if (!Number.isSafeInteger(sizeBytes) || sizeBytes <= 0 || sizeBytes % 512 !== 0) {
    throw new RangeError(`not a disk's size in bytes (a positive multiple of 512): ${sizeBytes}`);
  }
}

/** Makes an empty qcow2 image of mode 0600. It reserves the path first, so that no existing file is ever overwritten.
 * @throws DomainError PATH_OUTSIDE_IMAGES, DISK_EXISTS, HOST_SPACE_LACKING, IMAGE_TOOL_FAILED */
export async function createDisk(
  path: string,
  sizeBytes: number,
  {
    directory,
    host,
    qemuImg,
    signal,
  }: { directory: string; host: ImageHost; qemuImg: QemuImg; signal?: AbortSignal | undefined },
): Promise<void> {
  requireSize(sizeBytes);
  const place = await pathInside(path, directory, host.files);
  if (place === undefined) throw new DomainError("PATH_OUTSIDE_IMAGES", { path, directory });
  await requireSpace(host, place, sizeBytes);
  signal?.throwIfAborted();
  await host.files.create(place, 0o600).catch((error: unknown) => {
    if (errnoOf(error) === "EEXIST") throw new DomainError("DISK_EXISTS", { path }, { cause: error });
    throw new DomainError("IMAGE_TOOL_FAILED", { command: "create", reason: String(error) }, { cause: error });
  });
  try {
    await qemuImg.create(place, sizeBytes, signal);
  } catch (error) {
    await host.files.remove(place).catch(() => undefined);
    throw error;
  }
}

/** Grows an image that no program has open. An image of this size stays as it is.
 * @throws DomainError IMAGE_REFUSED (a smaller size, a chain that leaves the allowed directories, a format that is
 * neither qcow2 nor raw, no file), HOST_SPACE_LACKING, IMAGE_TOOL_FAILED (in use, among others) */
export async function growDisk(
  path: string,
  sizeBytes: number,
  {
    allowedChain,
    host,
    qemuImg,
    signal,
  }: { allowedChain: readonly string[]; host: ImageHost; qemuImg: QemuImg; signal?: AbortSignal | undefined },
): Promise<void> {
  requireSize(sizeBytes);
  signal?.throwIfAborted();
  const refuse = (reason: string) => new DomainError("IMAGE_REFUSED", { path, reason });
  const chain = await walkChain(path, allowedChain, host);
  if (chain.refused !== undefined) throw refuse(chain.refused);
  if (chain.missing !== undefined) throw refuse(`"${chain.missing}" is missing`);
  const real = chain.files[0]!;
  if (!(await host.files.stat(real)).isFile()) throw refuse("it is not a file, and only files can be grown");
  const { format, virtualBytes = 0 } = await readDiskHead(host.files, real);
  if (format !== "qcow2" && format !== "raw") throw refuse(`images of format ${format} cannot be grown`);
  if (sizeBytes < virtualBytes) throw refuse(`it has ${virtualBytes} bytes, and a disk is never made smaller`);
  if (sizeBytes === virtualBytes) return;
  await requireSpace(host, real, sizeBytes);
  await qemuImg.grow(real, format, sizeBytes, signal);
}

/** Removes one file (of a symbolic link, the link itself); a missing one is no error.
 * @throws DomainError PATH_OUTSIDE_IMAGES, IMAGE_REFUSED for a directory */
export async function removeFile(path: string, directory: string, files: HostFiles): Promise<void> {
  const place = await pathInside(path, directory, files);
  if (place === undefined) return;
  try {
    await files.remove(place);
  } catch (error) {
    if (meansMissing(error)) return;
    if (!(await files.stat(place)).isDirectory()) throw error;
    throw new DomainError("IMAGE_REFUSED", { path, reason: "it is a directory" }, { cause: error });
  }
}

/** Lists the image and its backing images. A missing image is listed alone.
 * @throws DomainError IMAGE_REFUSED */
export async function chainOf(
  path: string,
  allowedChain: readonly string[],
  options: ChainOptions,
): Promise<readonly ImageLink[]> {
  const chain = await walkChain(path, allowedChain, options);
  if (chain.refused !== undefined) throw new DomainError("IMAGE_REFUSED", { path, reason: chain.refused });
  if (chain.files.length === 0) return [{ ref: refOf(path), identity: await identify(path, options.files) }];
  return chain.files.map((file, place) => ({ ref: refOf(file), identity: chain.identities[place]! }));
}
