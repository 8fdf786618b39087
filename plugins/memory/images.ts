/** The files of a memory connection: an ISO library and disk images that exist by name alone. */
import {
  type DiskFact,
  DomainError,
  type ImageIdentity,
  type ImageRef,
  type Images,
  type IsoFact,
} from "../../src/plugin.ts";
import { hostOf, occupiedBytes, spaceOf } from "./host.ts";
import type { DiskFile, IsoFile, Session } from "./machine.ts";

const KNOWN_MAX = 20;

const usable = (path: string) => path.startsWith("/") && !path.includes("\0") && !/\/\.{0,2}(\/|$)/.test(path);
const below = (path: string, directory: string) => usable(path) && path.startsWith(`${directory}/`);
const nameOf = (path: string) => path.slice(path.lastIndexOf("/") + 1);

export const versionOf = ({ path, version }: IsoFile | DiskFile): string => `${path}:${version}`;

/** Resolves links, of the file itself and of the directories above it. */
export function realOf(session: Session, path: string): string {
  let real = path;
  for (let left = session.links.size; left > 0; left--) {
    const link = [...session.links].find(([name]) => real === name || real.startsWith(`${name}/`));
    if (!link) break;
    real = link[1] + real.slice(link[0].length);
  }
  return real;
}

const imageOf = (session: Session, path: string) => realOf(session, path) as ImageIdentity;

/** The file that a path leads to. */
export const fileAt = (session: Session, path: string): IsoFile | DiskFile | undefined =>
  session.files.get(realOf(session, path));

/** Puts a file in its place, or a new version of it. */
export function writeFile(session: Session, file: Omit<IsoFile, "version"> | Omit<DiskFile, "version">): void {
  const path = realOf(session, file.path);
  session.files.set(path, { ...file, path, version: ++session.count } as IsoFile | DiskFile);
}

export const fileOf = <K extends "iso" | "disk">(session: Session, kind: K, path: string) => {
  const file = fileAt(session, path);
  return file?.kind === kind ? (file as Extract<IsoFile | DiskFile, { kind: K }>) : undefined;
};

/** The backing chain of an image, itself first. `missing` and `refused` are reasons of an early end. */
export function walk(session: Session, path: string): { files: string[]; missing?: string; refused?: string } {
  const files: string[] = [];
  const directory = realOf(session, session.imageDirectory);
  for (let name: string | undefined = path; name !== undefined; ) {
    const at = realOf(session, name);
    if (files.length && !below(at, directory))
      return { files, refused: `it refers to "${name}", which lies outside the image directory` };
    if (files.includes(at)) return { files, refused: `its backing files form a loop at "${at}"` };
    const file: DiskFile | undefined = fileOf(session, "disk", at);
    if (!file) return files.length ? { files, missing: at } : { files: [at], missing: at };
    files.push(at);
    name = file.backing;
  }
  return { files };
}

/** The content that a guest finds on an image: the image's own, or that of a backing image. */
export const contentOf = (session: Session, path: string): DiskFile | undefined => {
  const layers = walk(session, path).files.map((layer) => fileOf(session, "disk", layer));
  return layers.find((layer) => layer?.content === "data") ?? layers[0];
};

/** The VMs that run on this image or on a clone of it, as QEMU's image locks would show. */
export const usersOf = (session: Session, path: string): string[] =>
  [...session.machines.values()]
    .filter(({ run }) =>
      run?.live.disks.some(
        (disk) => disk.path !== undefined && walk(session, disk.path).files.includes(realOf(session, path)),
      ),
    )
    .map(({ name }) => name);

function isoFact(session: Session, path: string): IsoFact {
  const file = fileAt(session, path);
  if (!file) return { path, state: "missing", bootsBios: false, bootsUefi: false };
  if (file.kind === "disk") return { path, state: "not_iso", bootsBios: false, bootsUefi: false };
  const { state, sizeBytes, volumeLabel, bootsBios, bootsUefi, signed } = file;
  if (state !== "ok") {
    const blocked = state === "unreadable" && { blockedAt: path };
    return {
      path,
      state,
      ...blocked,
      sizeBytes: state === "empty" ? 0 : sizeBytes,
      bootsBios: false,
      bootsUefi: false,
      identity: versionOf(file),
    };
  }
  const label = volumeLabel !== undefined && { volumeLabel };
  return {
    path,
    state,
    sizeBytes,
    ...label,
    bootsBios,
    bootsUefi,
    ...(signed !== undefined && { signed }),
    identity: versionOf(file),
  };
}

function diskFact(session: Session, path: string, check: boolean): DiskFact {
  const file = fileAt(session, path);
  const image = imageOf(session, path);
  if (!file) return { path, image, state: "missing", content: "unknown", chain: [path] };
  if (file.kind === "iso")
    return {
      path,
      image,
      state: "ok",
      format: "raw",
      virtualBytes: file.sizeBytes,
      actualBytes: file.sizeBytes,
      content: "data",
      chain: [path],
    };
  const { format, virtualBytes, corrupt } = file;
  const { content, bootsBios, bootsUefi } = contentOf(session, path) ?? file;
  const { files: chain, missing, refused } = walk(session, path);
  const known = {
    path,
    image,
    format,
    virtualBytes,
    actualBytes: occupiedBytes(file),
    chain,
    identity: versionOf(file),
    ...(check && { corrupt }),
  };
  if (refused !== undefined) return { ...known, state: "unreadable", content: "unknown" };
  if (missing !== undefined) return { ...known, state: "ok", content: "unknown", backingMissing: missing };
  return { ...known, state: "ok", content, ...(content === "data" && { bootsBios, bootsUefi }) };
}

function resolveIso(session: Session, wanted: string): string {
  const { isoDirectories: directories } = session;
  const library = isosIn(session).map(({ path }) => path);
  const notFound = (known: readonly string[] = library.map(nameOf)) => {
    const stem = nameOf(wanted)
      .toLowerCase()
      .replace(/\.iso$/, "");
    const nearest = [...known].sort((a, b) => Number(b.includes(stem)) - Number(a.includes(stem)));
    return new DomainError("ISO_NOT_FOUND", { iso: wanted, known: nearest.slice(0, KNOWN_MAX) });
  };
  const outside = () => new DomainError("ISO_OUTSIDE_LIBRARY", { path: wanted, directories });
  if (wanted === "" || wanted.includes("\0")) throw notFound();
  if (wanted.startsWith("/")) {
    if (!directories.some((directory) => below(wanted, directory))) throw outside();
    if (!fileAt(session, wanted)) throw notFound();
    return wanted;
  }
  if (wanted.split("/").includes("..")) throw outside();
  const matches = library.filter((path) => path.endsWith(`/${wanted}`));
  if (matches.length === 1) return matches[0]!;
  throw notFound(matches.length > 1 ? matches : undefined);
}

const isosIn = ({ files, isoDirectories }: Session) =>
  [...files.values()]
    .filter(({ path }) => /\.iso$/i.test(path) && isoDirectories.some((directory) => below(path, directory)))
    .sort((a, b) => (a.path < b.path ? -1 : 1));

export function imagesOf(session: Session): Images {
  const { imageDirectory, isoDirectories } = session;
  const holdInside = (path: string) => {
    if (!below(path, imageDirectory)) throw new DomainError("PATH_OUTSIDE_IMAGES", { path, directory: imageDirectory });
  };
  const requireSpace = (path: string, neededBytes: number) => {
    const { freeBytes, totalBytes } = spaceOf(session);
    if (neededBytes > totalBytes) throw new DomainError("HOST_SPACE_LACKING", { path, neededBytes, freeBytes });
  };

  return {
    imageDirectory,
    isoDirectories,

    pathFor(uuid, extension) {
      const path = `${imageDirectory}/${uuid}.${extension}`;
      if (/^[0-9a-f-]{36}$/i.test(uuid) && /^[a-z0-9]+([._-][a-z0-9]+)*$/i.test(extension)) return path;
      throw new DomainError("PATH_OUTSIDE_IMAGES", { path, directory: imageDirectory });
    },

    async isos(signal) {
      signal?.throwIfAborted();
      return isosIn(session).map(({ path }) => isoFact(session, path));
    },
    async resolveIso(pathOrName) {
      return resolveIso(session, pathOrName);
    },
    async iso(path, signal) {
      signal?.throwIfAborted();
      return isoFact(session, path);
    },
    async disk(path, { check = false, signal } = {}) {
      signal?.throwIfAborted();
      return diskFact(session, path, check);
    },
    ref: (name) => name as ImageRef,
    show: (ref) => ref,
    async identify(ref) {
      return imageOf(session, ref);
    },
    async chain(ref) {
      const { files, refused } = walk(session, ref);
      if (refused !== undefined) throw new DomainError("IMAGE_REFUSED", { path: ref, reason: refused });
      return files.map((file) => ({ ref: file as ImageRef, identity: imageOf(session, file) }));
    },

    async createDisk(path, sizeBytes, signal) {
      signal?.throwIfAborted();
      requireSize(sizeBytes);
      holdInside(path);
      requireSpace(path, sizeBytes);
      if (fileAt(session, path)) throw new DomainError("DISK_EXISTS", { path });
      writeFile(session, {
        kind: "disk",
        path,
        format: "qcow2",
        virtualBytes: sizeBytes,
        content: "blank",
        bootsBios: false,
        bootsUefi: false,
        corrupt: false,
      });
    },

    async growDisk(path, sizeBytes, signal) {
      signal?.throwIfAborted();
      requireSize(sizeBytes);
      const users = usersOf(session, path);
      if (users.length)
        throw new DomainError("IMAGE_TOOL_FAILED", {
          command: "resize",
          reason: `Failed to get "write" lock: ${users.join(", ")} is running on it`,
        });
      growFile(session, path, sizeBytes, requireSpace);
    },

    async remove(path) {
      holdInside(path);
      if (!session.links.delete(path)) session.files.delete(realOf(session, path));
    },

    space: hostOf(session).space,
  };
}

function requireSize(sizeBytes: number): void {
  if (!Number.isSafeInteger(sizeBytes) || sizeBytes <= 0 || sizeBytes % 512 !== 0) {
    throw new RangeError(`not a disk's size in bytes (a positive multiple of 512): ${sizeBytes}`);
  }
}

/** @throws DomainError IMAGE_REFUSED */
export function growFile(
  session: Session,
  path: string,
  sizeBytes: number,
  requireSpace: (path: string, bytes: number) => void = () => {},
): void {
  const refuse = (reason: string) => new DomainError("IMAGE_REFUSED", { path, reason });
  const file = fileOf(session, "disk", path);
  if (!file) throw refuse(`"${path}" is missing`);
  if (sizeBytes < file.virtualBytes)
    throw refuse(`it has ${file.virtualBytes} bytes, and a disk is never made smaller`);
  if (sizeBytes === file.virtualBytes) return;
  requireSpace(path, sizeBytes);
  writeFile(session, { ...file, virtualBytes: sizeBytes });
}
