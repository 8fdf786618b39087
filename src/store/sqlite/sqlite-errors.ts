/** Converts the database driver's errors into refusals that a caller can act on. */
import { DomainError } from "../../domain/error.ts";

/** SQLite's primary result codes for external faults; every other code is a defect of this program. */
export type SqliteFault = "busy" | "read_only" | "io" | "corrupt" | "full" | "cannot_open";

const byCode: Readonly<Record<number, SqliteFault>> = {
  5: "busy",
  6: "busy",
  8: "read_only",
  10: "io",
  11: "corrupt",
  13: "full",
  14: "cannot_open",
  26: "corrupt",
};

/** SQLite's English messages, since Deno's `node:sqlite` gives most errors without `errcode`. */
const byText: readonly (readonly [string, SqliteFault])[] = [
  ["database is locked", "busy"],
  ["database table is locked", "busy"],
  ["attempt to write a readonly database", "read_only"],
  ["disk I/O error", "io"],
  ["database disk image is malformed", "corrupt"],
  ["malformed database schema", "corrupt"],
  ["file is not a database", "corrupt"],
  ["database or disk is full", "full"],
  ["unable to open database file", "cannot_open"],
];

const bySystemCode: Readonly<Record<string, SqliteFault>> = {
  EROFS: "read_only",
  ENOSPC: "full",
  EDQUOT: "full",
  EIO: "io",
  EACCES: "cannot_open",
  EPERM: "cannot_open",
  ENOENT: "cannot_open",
  ENOTDIR: "cannot_open",
  EISDIR: "cannot_open",
  EEXIST: "cannot_open",
  EMFILE: "cannot_open",
  ENFILE: "cannot_open",
};

/** The fault behind an error of the driver or the file system; `undefined` for anything else. */
export function faultOf(error: unknown): SqliteFault | undefined {
  if (!(error instanceof Error) || error instanceof DomainError) return undefined;
  const { code, errcode } = error as { code?: unknown; errcode?: unknown };
  // The low byte is the primary code; the rest names its variants (SQLITE_BUSY_SNAPSHOT, SQLITE_IOERR_READ …).
  if (typeof errcode === "number") return byCode[errcode & 0xff];
  if (code === "ERR_SQLITE_ERROR") return byText.find(([text]) => error.message.includes(text))?.[1];
  return typeof code === "string" ? bySystemCode[code] : undefined;
}

/** The refusal for an error, or the error itself if it is a defect. */
export function asDomainError(error: unknown, path: string): unknown {
  const reason = error instanceof Error ? error.message : String(error);
  switch (faultOf(error)) {
    case "busy":
      return new DomainError("STORE_LOCKED", { path });
    case "read_only":
      return new DomainError("STORE_READ_ONLY", { path });
    case "corrupt":
      return new DomainError("STORE_CORRUPT", { path, reason });
    case "full":
    case "io":
    case "cannot_open":
      return new DomainError("STORE_UNAVAILABLE", { path, reason });
    default:
      return error;
  }
}
