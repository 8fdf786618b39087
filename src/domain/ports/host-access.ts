/** A backend's access to the host of its VMs, which may be another than this one. Unknown values are `undefined`, and
 * callers continue without them. */
import type { Host } from "./backend.ts";
import type { Space } from "./images.ts";

/** A user of the host; `gids` are all of its groups. */
export type HostUser = Readonly<{ uid: number; gids?: readonly number[] }>;

/** The host's facts about a file; sizes in bytes, blocks of 512 bytes. */
export interface FileStat {
  readonly dev: bigint;
  readonly ino: bigint;
  readonly rdev: bigint;
  readonly mode: bigint;
  readonly uid: bigint;
  readonly gid: bigint;
  readonly size: bigint;
  readonly blocks: bigint;
  readonly mtimeMs: bigint;
  readonly ctimeMs: bigint;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
  isFile(): boolean;
  isDirectory(): boolean;
  isBlockDevice(): boolean;
}

export interface DirectoryEntry {
  readonly name: string;
  isFile(): boolean;
  isDirectory(): boolean;
  isSymbolicLink(): boolean;
}

export type OpenFile = Readonly<{
  stat: FileStat;
  /** Up to `length` bytes at `position`; fewer only at the end of the file. */
  read(position: number, length: number): Promise<Uint8Array>;
}>;

/** Files of the host. Methods throw errors with the system's code (`ENOENT`); ETIMEDOUT when the file system does not
 * answer. */
export interface HostFiles {
  /** The path without symbolic links. */
  realpath(path: string): Promise<string>;
  /** Follows symbolic links. */
  stat(path: string): Promise<FileStat>;
  /** Opens a file for reading while `use` runs. A symbolic link at the end of the path is refused: ELOOP. */
  open<T>(path: string, use: (file: OpenFile) => Promise<T>): Promise<T>;
  /** At most `countMax` entries of a directory, in no order. */
  list(path: string, countMax: number): Promise<readonly DirectoryEntry[]>;
  /** Whether this program's user on that host may search a directory, or read a file. */
  allows(path: string, wanted: "search" | "read"): Promise<boolean>;
  /** The access control list, as `getfacl -n` prints it; undefined when unavailable. */
  accessList(path: string): Promise<string | undefined>;
}

/** The small files of a probe guest. */
export interface HostProbe {
  /** Writes a file that every user may read, and makes its directory. */
  put(path: string, content: Uint8Array): Promise<void>;
  hasContent(path: string): Promise<boolean>;
  remove(path: string): Promise<void>;
}

/** The host of one connection. */
export interface HostAccess {
  /** Differs after each boot of the host. */
  bootId(): Promise<string | undefined>;
  resources(): Promise<Host | undefined>;
  /** The first of these users that the host has. */
  user(names: readonly string[]): Promise<HostUser | undefined>;
  /** The space of the file system that the path is on, or would be on. */
  space(path: string): Promise<Space>;
  /** Absent when the host's files cannot be read. */
  readonly files?: HostFiles;
  readonly probe?: HostProbe;
}
