// Reads what a guest says on its serial line, from the log that virtlogd writes beside its disk: emptied at every cold
// start, continued over the guest's own reboots.

import { readFile } from "node:fs/promises";

/** A line of a serial log, without control characters, and the byte in the log at which the next one begins. */
export type SerialLine = { text: string; end: number };

export type MatchingLine = SerialLine & { match: RegExpExecArray };

export type WaitOptions = {
  /** The milliseconds that a guest may take, 60,000 by default: a loaded machine without KVM is slow. */
  timeoutMs?: number;
  /** Look only behind this byte: the `end` of a line seen before. Not after a cold start, which empties the log. */
  after?: number;
  /** Also look at the last line while it is not ended: a prompt, say. */
  unfinished?: boolean;
  signal?: AbortSignal;
};

const TIMEOUT_MS = 60_000;
const POLL_MS = 50;
const TAIL_LINES = 15;
const NEWLINE = 0x0a;

// Firmware moves the cursor about with ANSI sequences, and the serial line ends its lines with CR LF.
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is to be removed
const controls = /\x1b\[[0-9;?=]*[A-Za-z]|\x1b[()][0-9A-B]|[\x00-\x08\x0b-\x1f\x7f]/g;

async function bytesOf(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

function split(bytes: Buffer, after: number, unfinished: boolean): SerialLine[] {
  const lines: SerialLine[] = [];
  for (let begin = after; begin < bytes.length; ) {
    const newline = bytes.indexOf(NEWLINE, begin);
    if (newline < 0 && !unfinished) break;
    const end = newline < 0 ? bytes.length : newline + 1;
    // UTF-8 of a guest's own making: what is not valid becomes a replacement character.
    lines.push({ text: bytes.toString("utf8", begin, end).replace(controls, "").trimEnd(), end });
    begin = end;
  }
  return lines;
}

/** Returns the lines of a serial log behind `after`; none if the guest has never been started. */
export async function serialLines(path: string, { after = 0, unfinished = true } = {}): Promise<SerialLine[]> {
  return split((await bytesOf(path)) ?? Buffer.alloc(0), after, unfinished);
}

/** Returns the present length of a serial log in bytes: what a guest says from here on is behind it. */
export async function serialEnd(path: string): Promise<number> {
  return (await bytesOf(path))?.length ?? 0;
}

/**
 * Waits until a line matches, and answers with it and the groups of the match. Fails with the log's last lines, since what
 * a guest said instead is nearly always the reason.
 */
export async function waitForLine(path: string, pattern: RegExp, options: WaitOptions = {}): Promise<MatchingLine> {
  const line = await findLine(path, pattern, options);
  if (line) return line;
  throw new Error(silence(path, pattern, options, await bytesOf(path)));
}

/** Fails if a line matches within `forMs`: that a guest does *not* come up somewhere shows in time alone. */
export async function expectNoLine(path: string, pattern: RegExp, forMs: number, after = 0): Promise<void> {
  const line = await findLine(path, pattern, { timeoutMs: forMs, after });
  if (line) throw new Error(`The guest said "${line.text}", which it must not (${path}).`);
}

async function findLine(path: string, pattern: RegExp, options: WaitOptions): Promise<MatchingLine | undefined> {
  const { timeoutMs = TIMEOUT_MS, after = 0, unfinished = false, signal } = options;
  // A global or sticky expression would go on where it matched the last time.
  const found = new RegExp(pattern.source, pattern.flags.replace(/[gy]/g, ""));
  const deadline = performance.now() + timeoutMs;
  let size = -1;
  for (;;) {
    signal?.throwIfAborted();
    const last = performance.now() >= deadline;
    const bytes = await bytesOf(path);
    if (bytes && bytes.length !== size) {
      size = bytes.length;
      // Shorter than it was: a cold start has emptied it.
      for (const line of split(bytes, after > size ? 0 : after, unfinished)) {
        const match = found.exec(line.text);
        if (match) return { ...line, match };
      }
    }
    if (last) return undefined;
    await new Promise((wake) => setTimeout(wake, POLL_MS));
  }
}

function silence(path: string, pattern: RegExp, options: WaitOptions, bytes: Buffer | undefined): string {
  const { timeoutMs = TIMEOUT_MS, after = 0 } = options;
  const within = `No line matched ${pattern} within ${timeoutMs / 1000} s in ${path}`;
  if (!bytes) return `${within}: there is no such file, so the guest was never started with its serial log there.`;
  if (bytes.length === 0) return `${within}: the guest has said nothing at all.`;
  const tail = split(bytes, 0, true).filter((line) => line.text !== "");
  const where = after > 0 ? ` (looked for behind byte ${after} of ${bytes.length})` : "";
  return `${within}${where}. Its last lines:\n${tail
    .slice(-TAIL_LINES)
    .map((line) => `  | ${line.text}`)
    .join("\n")}`;
}
