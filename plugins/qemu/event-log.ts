/** QEMU's own events. QEMU writes them to a file from its start to its end, so that no event is missed without a
 * connection, and any number of processes can follow. Each run begins a new file at the same path. */
import { type FileHandle, open } from "node:fs/promises";

/** `SHUTDOWN` and `RESET` (with a reason: `guest-reset`, `guest-shutdown`, `host-qmp-quit` …), `STOP`, `RESUME`,
 * `DEVICE_TRAY_MOVED`, `BLOCK_IO_ERROR` and the others of QEMU's QMP reference. */
export type QmpEvent = Readonly<{ event: string; data: Readonly<Record<string, unknown>>; atMs: number }>;

/** The events in these lines, without the greeting and the answer to the negotiation. */
export function eventsIn(lines: string): QmpEvent[] {
  return lines.split("\n").flatMap((line) => {
    const message = parsed(line);
    if (typeof message?.event !== "string") return [];
    const { seconds = 0, microseconds = 0 } = (message.timestamp ?? {}) as Record<string, number>;
    const atMs = seconds * 1000 + Math.floor(microseconds / 1000);
    return [{ event: message.event, data: (message.data ?? {}) as Record<string, unknown>, atMs }];
  });
}

/** A line for the end that QEMU could not write itself. */
export const endingEvent = (reason: string): string => {
  const timestamp = { seconds: Math.floor(Date.now() / 1000), microseconds: 0 };
  return `${JSON.stringify({ timestamp, event: "SHUTDOWN", data: { guest: false, reason } })}\n`;
};

function parsed(line: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch {
    // The last line of a process that was killed.
    return undefined;
  }
}

const PIECE_BYTES = 64 * 1024;

/** The last events of a run; undefined if there is no such file. */
export async function lastEvents(path: string): Promise<QmpEvent[] | undefined> {
  const file = await openThere(path);
  if (!file) return undefined;
  try {
    const { size } = await file.stat();
    return eventsIn((await piece(file, Math.max(0, size - PIECE_BYTES))).toString("utf8"));
  } finally {
    await file.close();
  }
}

export type EventReader = Readonly<{
  /** The events since the last read, or all events if the file is another run's; `more`: whether anything was
   * written. */
  read(): Promise<Readonly<{ events: readonly QmpEvent[]; more: boolean }>>;
}>;

/** Reads on in the file that is at the path. */
export function readEvents(path: string): EventReader {
  let identity = "";
  let at = 0;
  return {
    async read() {
      const file = await openThere(path);
      if (!file) return { events: [], more: false };
      try {
        const { ino, birthtimeMs, size } = await file.stat();
        // File systems reuse a removed file's number for the next new file.
        const now = `${ino}:${birthtimeMs}`;
        if (now !== identity || size < at) at = 0;
        identity = now;
        const begin = at;
        const events: QmpEvent[] = [];
        for (;;) {
          const bytes = await piece(file, at);
          const end = bytes.lastIndexOf(0x0a) + 1;
          // A line that is still being written is read when it is whole.
          if (end === 0) return { events, more: at > begin };
          events.push(...eventsIn(bytes.toString("utf8", 0, end)));
          at += end;
        }
      } finally {
        await file.close();
      }
    },
  };
}

async function openThere(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, "r");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

async function piece(file: FileHandle, from: number): Promise<Buffer> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(PIECE_BYTES), 0, PIECE_BYTES, from);
  return buffer.subarray(0, bytesRead);
}
