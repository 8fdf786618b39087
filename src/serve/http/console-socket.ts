/** Carries one console over one WebSocket, with back pressure in both directions. */
import type { WebSocket } from "ws";
import type { Console } from "../../domain/ports/backend-groups.ts";

export type CarryOptions = Readonly<{
  signal: AbortSignal;
  isStillAuthenticated: () => boolean;
  idleMs: number;
  heartbeatMs: number;
}>;

/** How a console ends: a code of RFC 6455 or one of Bootwright's, which the page translates, and a text for other clients. */
type End = readonly [code: number, reason: string];
const ends = {
  left: [1000, "it was closed"],
  stopped: [4000, "the VM has stopped or has ended its console"],
  closing: [1001, "the server is ending"],
  text: [1003, "only binary messages are accepted"],
  refused: [4001, "the caller's token or session has ended"],
  idle: [4002, "the console was idle for too long"],
} satisfies Record<string, End>;

/** How long a browser may take to answer the close message. */
const FAREWELL_MS = 2_000;

/** Carries until either side ends. Returns the reason. */
export async function carry(
  socket: WebSocket,
  { readable, writable }: Console,
  options: CarryOptions,
): Promise<string> {
  const { signal, isStillAuthenticated, idleMs, heartbeatMs } = options;
  const { promise: ended, resolve: end } = Promise.withResolvers<End>();
  const reader = readable.getReader();
  const writer = writable.getWriter();
  let usedAt = performance.now();
  let answered = true;
  let waiting = 0;

  socket.on("error", () => undefined);
  socket.on("close", () => end(ends.left));
  socket.on("pong", () => {
    answered = true;
  });
  socket.on("message", (data: Buffer, isBinary) => {
    if (!isBinary) return end(ends.text);
    usedAt = performance.now();
    answered = true;
    waiting += 1;
    socket.pause();
    writer.write(data).then(
      () => {
        waiting -= 1;
        if (waiting === 0) socket.resume();
      },
      () => end(ends.stopped),
    );
  });
  const beat = setInterval(() => {
    if (!isStillAuthenticated()) return end(ends.refused);
    if (performance.now() - usedAt > idleMs) return end(ends.idle);
    if (!answered) return end(ends.left);
    answered = false;
    socket.ping();
  }, heartbeatMs);
  const endWithServer = () => end(ends.closing);
  signal.addEventListener("abort", endWithServer, { once: true });
  if (signal.aborted) endWithServer();
  void show(reader, socket).then(
    () => end(ends.stopped),
    () => end(ends.stopped),
  );

  const [code, reason] = await ended;
  clearInterval(beat);
  signal.removeEventListener("abort", endWithServer);
  void reader.cancel().catch(() => undefined);
  void writer.abort().catch(() => undefined);
  socket.resume();
  socket.close(code, reason);
  const farewell = setTimeout(() => socket.terminate(), FAREWELL_MS);
  socket.once("close", () => clearTimeout(farewell));
  return reason;
}

async function show(reader: ReadableStreamDefaultReader<Uint8Array>, socket: WebSocket): Promise<void> {
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    await new Promise<void>((sent, failed) => socket.send(value, (error) => (error ? failed(error) : sent())));
  }
}
