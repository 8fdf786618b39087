/** QEMU's own events. It writes them to a file from its first moment to its last, so that nobody has to be connected to
 * miss none, and any number of processes may follow. The file ends with the run. */
import { watch } from "node:fs";
import { open } from "node:fs/promises";

/** `SHUTDOWN` and `RESET` (with a reason: `guest-reset`, `guest-shutdown`, `host-qmp-quit` …), `STOP`, `RESUME`,
 * `DEVICE_TRAY_MOVED`, `BLOCK_IO_ERROR` and the others of QEMU's QMP reference. */
export type QmpEvent = Readonly<{ event: string; data: Readonly<Record<string, unknown>>; atMs: number }>;

/** The events in these lines; what is none (the greeting, the answer to the negotiation) is left out. */
export function eventsIn(lines: string): QmpEvent[] {
  return lines.split("\n").flatMap((line) => {
    const message = parsed(line);
    if (typeof message?.event !== "string") return [];
    const { seconds = 0, microseconds = 0 } = (message.timestamp ?? {}) as Record<string, number>;
    return [
      {
        event: message.event,
        data: (message.data ?? {}) as Record<string, unknown>,
        atMs: seconds * 1000 + Math.floor(microseconds / 1000),
      },
    ];
  });
}

function parsed(line: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch {
    // The last line of a process that was killed, or one that is still being written.
    return undefined;
  }
}

const TAIL_BYTES = 16 * 1024;

/** The last events of a run; none where there is no such file. */
export async function lastEvents(path: string): Promise<QmpEvent[]> {
  const file = await open(path, "r").catch(() => undefined);
  if (!file) return [];
  try {
    const { size } = await file.stat();
    const from = Math.max(0, size - TAIL_BYTES);
    return eventsIn((await file.read(Buffer.alloc(size - from), 0, size - from, from)).buffer.toString("utf8"));
  } finally {
    await file.close();
  }
}

/** Calls back with each event from byte `from` on, in order, until the signal ends it or the file is removed, which is
 * the beginning of another run. Answers with the byte behind the last event that was told.
 * @throws Error when there is no such file */
export async function followEvents(
  path: string,
  onEvent: (event: QmpEvent) => void,
  { from = 0, signal }: Readonly<{ from?: number; signal: AbortSignal }>,
): Promise<number> {
  const file = await open(path, "r");
  let at = from;
  let wake = () => {};
  let gone = false;
  const ring = () => wake();
  const watcher = watch(path, (kind) => {
    gone ||= kind === "rename";
    ring();
  });
  watcher.on("error", () => {
    gone = true;
    ring();
  });
  signal.addEventListener("abort", ring, { once: true });
  try {
    for (;;) {
      const changed = new Promise<void>((resolve) => {
        wake = resolve;
      });
      const ending = gone || signal.aborted;
      at = await readOn(file, at, onEvent);
      if (ending) return at;
      await changed;
    }
  } finally {
    signal.removeEventListener("abort", ring);
    watcher.close();
    await file.close();
  }
}

/** Tells the whole lines behind `at`, and answers with the byte behind them. */
async function readOn(
  file: Awaited<ReturnType<typeof open>>,
  at: number,
  onEvent: (event: QmpEvent) => void,
): Promise<number> {
  const { size } = await file.stat();
  if (size <= at) return at;
  const { buffer, bytesRead } = await file.read(Buffer.alloc(size - at), 0, size - at, at);
  const end = buffer.subarray(0, bytesRead).lastIndexOf(0x0a) + 1;
  for (const event of eventsIn(buffer.toString("utf8", 0, end))) onEvent(event);
  return at + end;
}
