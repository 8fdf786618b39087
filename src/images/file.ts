/** Reading image files in pieces: opened without following a last symbolic link, never blocking on a FIFO, never whole. */
import type { BigIntStats } from "node:fs";
import { constants, open } from "node:fs/promises";
import { patiently } from "./patience.ts";

/** Reads up to `length` bytes at `position`; shorter only where the file ends. */
export type ReadAt = (position: number, length: number) => Promise<Buffer>;

export type OpenFile = Readonly<{ read: ReadAt; stat: BigIntStats; sizeBytes: number }>;

/** The errno name of a failed system call (`ENOENT`), or `undefined` for any other error. */
export const errnoOf = (error: unknown): string | undefined =>
  error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;

const missingCodes = new Set(["ENOENT", "ENOTDIR", "ELOOP", "ENAMETOOLONG", "ENXIO"]);
export const meansMissing = (error: unknown): boolean => missingCodes.has(errnoOf(error) ?? "");

/** A path that may be handed to the file system: absolute, well-formed, without NUL. U+FFFD is what a file name that is
 * not UTF-8 turns into; such a path cannot name its file. */
export const isUsablePath = (path: string): boolean =>
  path.startsWith("/") && path.length <= 4096 && !/[\0\uFFFD]/.test(path) && path.isWellFormed();

/** Opens a file for reading while `use` runs. `path` must be a real path: a symbolic link at its end is refused (ELOOP).
 * @throws the system call's error */
export async function withFile<T>(path: string, use: (file: OpenFile) => Promise<T>): Promise<T> {
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const handle = await patiently(
    () => open(path, flags),
    (late) => void late.close().catch(() => undefined),
  );
  let answers = true;
  const ask = <A>(call: () => Promise<A>) =>
    patiently(call).catch((error: unknown) => {
      answers &&= errnoOf(error) !== "ETIMEDOUT";
      throw error;
    });
  try {
    const stat = await ask(() => handle.stat({ bigint: true }));
    const read: ReadAt = async (position, length) => {
      const buffer = Buffer.alloc(length);
      let filled = 0;
      while (filled < length) {
        const { bytesRead } = await ask(() => handle.read(buffer, filled, length - filled, position + filled));
        if (bytesRead === 0) break;
        filled += bytesRead;
      }
      return buffer.subarray(0, filled);
    };
    return await use({ read, stat, sizeBytes: Number(stat.size) });
  } finally {
    // Closing waits for a read that is under way, which may never end.
    const closed = handle.close();
    if (answers) await closed;
    else closed.catch(() => undefined);
  }
}

/** Tells whether a file was replaced or rewritten, across processes and restarts. Neither the time of the inode's change
 * (libvirt chowns every ISO that it starts with) nor the device number (it may differ after a reboot) takes part; whole
 * milliseconds, since Deno gives no more and both runtimes must agree. */
export const identityOf = (stat: BigIntStats): string => `${stat.ino}:${stat.size}:${stat.mtimeNs / 1_000_000n}`;

/** Everything that a look at a file can tell of its being the same, for a cache within this process. */
export const versionOf = (stat: BigIntStats): string =>
  `${stat.dev}:${stat.ino}:${stat.size}:${stat.mtimeNs}:${stat.ctimeNs}`;
