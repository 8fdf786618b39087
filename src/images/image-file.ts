/** Reads image files, and identifies their states. */
import type { FileStat, HostFiles } from "../domain/ports/host-access.ts";

/** Reads up to `length` bytes at `position`; fewer only at the end of the file. */
export type ReadAt = (position: number, length: number) => Promise<Buffer>;

export type OpenImage = Readonly<{ read: ReadAt; stat: FileStat; sizeBytes: number }>;

/** Opens a file for reading while `use` runs. `path` must be a real path: a symbolic link at its end is refused
 * (ELOOP).
 * @throws the system call's error */
export const withFile = <T>(files: HostFiles, path: string, use: (file: OpenImage) => Promise<T>): Promise<T> =>
  files.open(path, ({ read, stat }) => {
    const readAt: ReadAt = async (position, length) => {
      const { buffer, byteOffset, byteLength } = await read(position, length);
      return Buffer.from(buffer, byteOffset, byteLength);
    };
    return use({ read: readAt, stat, sizeBytes: Number(stat.size) });
  });

/** The identity of a file's state: it changes when the file is replaced or rewritten, and is stable across processes
 * and restarts. It leaves out the time of the inode's change, since libvirt chowns every ISO that it starts with, and
 * the device number, which may differ after a reboot. Times are whole milliseconds: Deno gives no more, and both
 * runtimes must agree. */
export const contentVersionOf = (stat: FileStat): string => `${stat.ino}:${stat.size}:${stat.mtimeNs / 1_000_000n}`;

/** Identifies one state of a file as exactly as possible, for a cache within this process. */
export const fileVersionOf = (stat: FileStat): string =>
  `${stat.dev}:${stat.ino}:${stat.size}:${stat.mtimeNs}:${stat.ctimeNs}`;
