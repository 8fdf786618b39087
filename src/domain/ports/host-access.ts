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
  /** Makes an empty file with this mode. Throws EEXIST where the path is taken. */
  create(path: string, mode: number): Promise<void>;
  /** Removes a file (of a symbolic link, the link). Throws EISDIR or EPERM for a directory. */
  remove(path: string): Promise<void>;
  /** Makes a directory for this program's user alone, and removes it with its content after `use`. */
  withTemporaryDirectory<T>(use: (path: string) => Promise<T>): Promise<T>;
}

export type ProgramOptions = Readonly<{
  timeoutMs: number;
  /** Output limit in bytes. More output ends the program, and the answer says `tooLong`. */
  outputBytesMax?: number;
  /** Exit codes that are an answer rather than a failure. */
  exitCodes?: readonly number[];
  signal?: AbortSignal | undefined;
}>;

export type ProgramResult = Readonly<{ stdout: string; exitCode: number; tooLong: boolean }>;

/** Programs of the host. */
export interface HostPrograms {
  /** Runs a program without a shell and waits for its end.
   * @throws DomainError IMAGE_TOOL_FAILED where it cannot be started, fails or takes too long; the signal's reason on abort */
  run(command: string, args: readonly string[], options: ProgramOptions): Promise<ProgramResult>;
}

/** A Unix socket, or a TCP port as the host sees it. */
export type SocketAddress = Readonly<{ path: string } | { host: string; port: number }>;

/** A connection to a server. `close()` ends it in both directions, whatever still waits to be sent. */
export type HostConnection = Readonly<{
  readable: ReadableStream<Uint8Array>;
  writable: WritableStream<Uint8Array>;
  close(): void;
}>;

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
  /** Absent where this program can start none there. */
  readonly programs?: HostPrograms;
  /** Connects to a server on the host. Absent where its sockets are out of reach. Throws an error with the system's code
   * (`ECONNREFUSED`); the signal's reason on abort. */
  connect?(address: SocketAddress, signal?: AbortSignal): Promise<HostConnection>;
  readonly probe?: HostProbe;
}
