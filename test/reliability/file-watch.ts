/** Records by strace what a process and its children do with files: every call that takes a path, whether it succeeds or
 * not, and every program and socket. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";

export const canTrace = spawnSync("strace", ["-qq", "-o", "/dev/null", "true"]).status === 0;

/** Wraps the command in strace, which writes to `log` for `readTrace`. */
export const traced = (log: string, command: readonly string[]): string[] => [
  ...["strace", "-f", "--seccomp-bpf", "-qq", "-y", "-e", "signal=none", "-e", "trace=%file,connect,bind", "-o", log],
  ...command,
];

export type Touch = Readonly<{
  call: string;
  /** The absolute path that the call named; a relative one is joined to the directory that it was relative to. */
  paths: readonly string[];
  /** The path that was really opened, with links followed. */
  opened?: string;
  writes: boolean;
  line: string;
}>;

const WRITING =
  /^(creat|mkdir|mkdirat|rmdir|unlink|unlinkat|rename|renameat|renameat2|link|linkat|symlink|symlinkat|mknod|mknodat|truncate|chmod|fchmodat|chown|lchown|fchownat|utime|utimes|utimensat|futimesat|setxattr|lsetxattr|removexattr|lremovexattr|mount|umount2|swapon|pivot_root|chroot|bind)$/;
const OPENING = /^(open|openat|openat2)$/;
const OPEN_WRITES = /O_WRONLY|O_RDWR|O_CREAT|O_TRUNC|O_APPEND|O_TMPFILE/;

/** strace writes what is not printable ASCII as C escapes of bytes. */
function unescaped(text: string): string {
  const bytes = text.replace(/\\(?:([0-7]{1,3})|x([0-9a-f]{2})|(.))/g, (_all, octal, hex, other) => {
    if (octal !== undefined) return String.fromCharCode(Number.parseInt(octal, 8));
    if (hex !== undefined) return String.fromCharCode(Number.parseInt(hex, 16));
    return { n: "\n", t: "\t", r: "\r", v: "\v", f: "\f" }[other as string] ?? other;
  });
  return Buffer.from(bytes, "latin1").toString();
}

function touchOf(line: string): Touch | undefined {
  const found = /^(\w+)\((.*)\)\s+= (-?\d+|\?)(?:<(.*?)>)?/s.exec(line);
  if (!found) return undefined;
  const [, call = "", args = "", , real] = found;
  const paths: string[] = [];
  // A directory's descriptor and its path stand before the name that is relative to it.
  for (const [, at, name] of args.matchAll(/(?:(?:AT_FDCWD|\d+)<((?:[^>\\]|\\.)*)>,\s*)?"((?:[^"\\]|\\.)*)"/g)) {
    if (call === "execve" && paths.length > 0) break;
    paths.push(resolve(unescaped(at ?? "/"), unescaped(name!)));
  }
  const writes = OPENING.test(call) ? OPEN_WRITES.test(args) : WRITING.test(call);
  const opened = OPENING.test(call) && real !== undefined ? unescaped(real) : undefined;
  return { call, paths, writes, line, ...(opened !== undefined && { opened }) };
}

/** Returns every touch of a path, oldest first. */
export function readTrace(log: string): Touch[] {
  const begun = new Map<string, string>();
  const touches: Touch[] = [];
  for (const text of readFileSync(log, "latin1").split("\n")) {
    const [, pid = "", line = ""] = /^(\d+)\s+(.*)$/s.exec(text) ?? [];
    const cut = line.indexOf(" <unfinished ...>");
    if (cut >= 0) {
      begun.set(pid, line.slice(0, cut));
      continue;
    }
    const rest = /^<\.\.\. \w+ resumed>(.*)$/s.exec(line)?.[1];
    const touch = touchOf(rest === undefined ? line : (begun.get(pid) ?? "") + rest);
    if (touch) touches.push(touch);
  }
  return touches;
}

/** Whether `path` is one of these places or lies below it. */
export const isWithin = (path: string, places: readonly string[]): boolean =>
  places.some((place) => path === place || path.startsWith(place.endsWith("/") ? place : `${place}/`));

/** Returns every path of a touch. */
export const placesOf = ({ paths, opened }: Touch): string[] => [...paths, ...(opened === undefined ? [] : [opened])];

/** Returns strace's lines, each once, for a failure's message. */
export const linesOf = (touches: readonly Touch[]): string[] => [...new Set(touches.map(({ line }) => line))];
