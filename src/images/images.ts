/** The image files of one connection: the ISO library and the disks of its VMs. */
import { join, resolve } from "node:path";
import { DomainError } from "../domain/error.ts";
import type { HostUser } from "../domain/ports/host-access.ts";
import type { Images } from "../domain/ports/images.ts";
import { localHost } from "../host-access/local-host.ts";
import { createAccessCheck } from "./access-check.ts";
import type { References } from "./chain.ts";
import { createConcurrencyLimit } from "./concurrency-limit.ts";
import type { Content } from "./disk-content.ts";
import { observeDisk } from "./disk-fact.ts";
import { chainOf, createDisk, growDisk, type ImageHost, removeFile } from "./disk-file.ts";
import { createFactCache, type FactCacheOptions } from "./fact-cache.ts";
import { identify, refOf } from "./image-identity.ts";
import { observeIso } from "./iso-fact.ts";
import type { IsoVolume } from "./iso9660.ts";
import { findIso, listLibrary } from "./library.ts";
import { createQemuImg, type QemuImgOptions } from "./qemu-img.ts";

export type ImagesOptions = Readonly<{
  /** The host of the images; default: this one. */
  host?: ImageHost;
  /** The directory in which disks are made. */
  imageDirectory: string;
  /** The ISO library; default: the image directory. */
  isoDirectories?: readonly string[];
  /** QEMU's user, who must be able to reach attached files; default: this process's user. */
  reader?: HostUser;
  /** The hypervisor changes no owners, so the file itself must be readable too. Default: false (libvirt's default). */
  ownFile?: boolean;
  /** Directories that may contain backing and data files; default: the image directory. */
  allowedChain?: readonly string[];
  cache?: FactCacheOptions;
  qemuImg?: QemuImgOptions;
  /** Aborts all work under way, started programs included. */
  signal?: AbortSignal;
}>;

const PROBES_AT_ONCE = 4;
/** A host may have thousands of disks, and a cached header is small. */
const HEADERS_MAX = 8_192;

/** Makes the `Images` of a connection. It opens nothing: directories and programs are looked up when needed. */
export function openImages(options: ImagesOptions): Images {
  const imageDirectory = resolve(options.imageDirectory);
  const isoDirectories = (options.isoDirectories ?? [imageDirectory]).map((directory) => resolve(directory));
  const allowedChain = (options.allowedChain ?? [imageDirectory]).map((directory) => resolve(directory));
  const { host = localHost } = options;
  const { files } = host;
  const access = createAccessCheck({ reader: options.reader, ownFile: options.ownFile, files });
  const qemuImg = createQemuImg(host, options.qemuImg);
  const isoContext = { access, files, cache: createFactCache<IsoVolume | undefined>(options.cache) };
  const headers = createFactCache<References>({ entriesMax: HEADERS_MAX, ...options.cache });
  const diskContext = { access, files, cache: createFactCache<Content>(options.cache), headers, qemuImg, allowedChain };

  function joined(signal?: AbortSignal): AbortSignal | undefined {
    const signals = [options.signal, signal].filter((one) => one !== undefined);
    return signals.length > 1 ? AbortSignal.any(signals) : signals[0];
  }

  return {
    imageDirectory,
    isoDirectories,

    pathFor(uuid, extension) {
      const path = join(imageDirectory, `${uuid}.${extension}`);
      if (/^[0-9a-f-]{36}$/i.test(uuid) && /^[a-z0-9]+([._-][a-z0-9]+)*$/i.test(extension)) return path;
      throw new DomainError("PATH_OUTSIDE_IMAGES", { path, directory: imageDirectory });
    },

    async isos(signal) {
      const entries = (await listLibrary(isoDirectories, files)).filter((entry) => !entry.outside);
      const limit = createConcurrencyLimit(PROBES_AT_ONCE);
      const ends = joined(signal);
      const paths = [...new Set(entries.map((entry) => entry.path))];
      return Promise.all(paths.map((path) => limit(() => observeIso(path, isoContext, ends), ends)));
    },

    resolveIso: (pathOrName) => findIso(pathOrName, isoDirectories, files),
    iso: (path, signal) => observeIso(path, isoContext, joined(signal)),
    disk: (path, { check = false, signal } = {}) => observeDisk(path, diskContext, { check, signal: joined(signal) }),
    ref: refOf,
    show: (ref) => ref,
    identify: (ref) => identify(ref, files),
    chain: (ref) => chainOf(ref, allowedChain, { files, cache: headers }),

    createDisk: (path, sizeBytes, signal) =>
      createDisk(path, sizeBytes, { directory: imageDirectory, host, qemuImg, signal: joined(signal) }),
    growDisk: (path, sizeBytes, signal) =>
      growDisk(path, sizeBytes, { allowedChain, host, qemuImg, signal: joined(signal) }),
    remove: (path) => removeFile(path, imageDirectory, files),
    space: (path = imageDirectory) => host.space(path),
  };
}
