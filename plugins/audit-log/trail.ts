/** Numbered files of lines; the one with the highest number is written. Files are never renamed, so any number of
 * processes may write the same trail without a lock: each line is one write to a file opened for appending, and a
 * process that finds a file full continues with the next number. */
import {
  closeSync,
  constants,
  fdatasyncSync,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  rmSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";

export type Trail = Readonly<{
  /** Writes one line, which is on the disk when this returns. False if the present or the previous file already has a
   * line with this id, from any process. @throws Error if the line cannot be written whole */
  append(id: string, line: string): boolean;
  close(): void;
}>;

export type TrailOptions = Readonly<{ directory: string; maxBytes: number; keep: number }>;

type File = { number: number; fd: number /** How far it was read. */; read: number; ids: Set<string> };

/** The most bytes of a file that are read for its ids. */
const LEARNED_BYTES_MAX = 16 * 2 ** 20;
const CHUNK_BYTES = 65_536;
const NEWLINE = 0x0a;
const { O_APPEND, O_CREAT, O_NOFOLLOW, O_RDWR } = constants;

/** Opens nothing yet. */
export function openTrail({ directory, maxBytes, keep }: TrailOptions): Trail {
  let files: { present: File; before?: File | undefined } | undefined;

  const numbers = () => {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const named = readdirSync(directory).flatMap((name) => /^audit-(\d{6,12})\.jsonl$/.exec(name)?.[1] ?? []);
    return named.map(Number).sort((a, b) => a - b);
  };
  const open = (number: number): File => {
    const path = join(directory, nameOf(number));
    const fd = openSync(path, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW, 0o600);
    const file = { number, fd, read: Math.max(0, fstatSync(fd).size - LEARNED_BYTES_MAX), ids: new Set<string>() };
    learn(file);
    return file;
  };
  const goTo = (number: number): File => {
    const before = files?.present.number === number - 1 ? files.present : undefined;
    if (before) learn(before);
    const present = open(number);
    for (const file of [files?.before, files?.present]) if (file && file !== before) closeSync(file.fd);
    files = { present, before };
    return present;
  };
  const forget = () => {
    for (const file of [files?.before, files?.present]) if (file) closeSync(file.fd);
    files = undefined;
  };
  const newest = (): File => {
    // This process's file may be gone: another process continued long enough to remove it, or a user did.
    if (files && isRemoved(files.present)) forget();
    const there = numbers();
    const number = there.at(-1) ?? 1;
    // The line that is asked for may be the last one of a file that is full since.
    const isNear = files !== undefined && number - files.present.number <= 1;
    if (!isNear && there.includes(number - 1)) goTo(number - 1);
    if (files?.present.number === number) {
      learn(files.present);
      return files.present;
    }
    return goTo(number);
  };
  const goOn = (number: number): void => {
    goTo(number);
    const folder = openSync(directory, "r");
    fsyncSync(folder);
    closeSync(folder);
    for (const old of numbers()) if (old <= number - keep) rmSync(join(directory, nameOf(old)), { force: true });
  };

  return {
    append(id, line) {
      for (;;) {
        const file = newest();
        if (file.ids.has(id) || files?.before?.ids.has(id)) return false;
        const { size } = fstatSync(file.fd);
        // The previous line may be incomplete, after a full disk or a loss of power.
        const bytes = Buffer.from(`${size > 0 && !endsLine(file.fd, size) ? "\n" : ""}${line}\n`);
        if (size > 0 && size + bytes.length > maxBytes) {
          goOn(file.number + 1);
          continue;
        }
        if (writeSync(file.fd, bytes) < bytes.length) throw new Error(`${nameOf(file.number)}: the disk is full`);
        fdatasyncSync(file.fd);
        file.ids.add(id);
        if (!isRemoved(file)) return true;
      }
    },
    close: forget,
  };
}

const nameOf = (number: number): string => `audit-${String(number).padStart(6, "0")}.jsonl`;

const isRemoved = ({ fd }: File): boolean => fstatSync(fd).nlink === 0;

function endsLine(fd: number, size: number): boolean {
  const last = Buffer.alloc(1);
  readSync(fd, last, 0, 1, size - 1);
  return last[0] === NEWLINE;
}

/** Reads the ids of the lines since the last read, of other processes, too. */
function learn(file: File): void {
  let rest = Buffer.alloc(0);
  for (let at = file.read; ; ) {
    const chunk = Buffer.alloc(CHUNK_BYTES);
    const count = readSync(file.fd, chunk, 0, CHUNK_BYTES, at);
    if (count === 0) return;
    at += count;
    rest = Buffer.concat([rest, chunk.subarray(0, count)]);
    const whole = rest.lastIndexOf(NEWLINE) + 1;
    for (const line of rest.toString("utf8", 0, whole).split("\n")) {
      const id = idIn(line);
      if (id !== undefined) file.ids.add(id);
    }
    rest = rest.subarray(whole);
    file.read = at - rest.length;
  }
}

/** The id of a line; an incomplete line has none, so that it is written again. */
function idIn(line: string): string | undefined {
  try {
    const { id } = JSON.parse(line) as { id?: unknown };
    return typeof id === "string" ? id : undefined;
  } catch {
    return undefined;
  }
}
