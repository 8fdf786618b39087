/** One QMP session over a unix socket: greeting, negotiation, commands with ids. QEMU serves one session at a time
 * on a socket and lets others wait in the socket's queue, so a session is opened for the moment of a call and
 * closed again. */
import type { Duplex } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { createFrames } from "./frames.ts";
import { connectUnix } from "./socket.ts";

/** No process listens at the socket: it has ended, or was never started. */
export class NotListening extends Error {}

/** QEMU's own refusal of a command. */
export class QmpRefused extends Error {
  readonly command: string;
  constructor(command: string, reason: string) {
    super(reason);
    this.command = command;
  }
}

/** There is no answer: the connection broke, or it took too long. `sent` names the command that may have taken
 * effect. */
export class QmpLost extends Error {
  readonly sent: string | undefined;
  constructor(reason: string, sent?: string, options?: ErrorOptions) {
    super(reason, options);
    this.sent = sent;
  }
}

export type Qmp = Readonly<{
  /** @throws QmpRefused, QmpLost, the signal's reason */
  execute<T = unknown>(command: string, args?: Readonly<Record<string, unknown>>, signal?: AbortSignal): Promise<T>;
  close(): void;
}>;

export type QmpOptions = Readonly<{
  /** How long the greeting, and each answer, may take. */
  timeoutMs?: number;
  signal?: AbortSignal | undefined;
}>;

/** Time limits that allow for a busy host, and for another session before this one. */
const TIMEOUT_MS = 30_000;
const QUEUE_RETRY_MS = 10;

/** @throws NotListening, QmpLost, the signal's reason */
export async function openQmp(path: string, { timeoutMs = TIMEOUT_MS, signal }: QmpOptions = {}): Promise<Qmp> {
  const until = Date.now() + timeoutMs;
  const socket = await connected(path, until, signal);
  const greeted = Promise.withResolvers<void>();
  const waiting = new Map<number, { command: string; settle: (answer: Record<string, unknown> | Error) => void }>();
  const frames = createFrames();
  let count = 0;
  let ended: Error | undefined;

  const end = (reason: Error) => {
    ended ??= reason;
    socket.destroy();
    greeted.reject(new QmpLost(reason.message, undefined, { cause: reason }));
    for (const { command, settle } of waiting.values()) settle(new QmpLost(reason.message, command, { cause: reason }));
    waiting.clear();
  };
  greeted.promise.catch(() => undefined);
  socket.on("error", end);
  socket.on("close", () => end(new Error("QEMU closed the connection")));
  socket.on("data", (bytes: Buffer) => {
    try {
      for (const message of frames.push(bytes)) {
        if ("QMP" in message) greeted.resolve();
        else if (typeof message.id === "number") waiting.get(message.id)?.settle(message);
      }
    } catch (error) {
      end(error as Error);
    }
  });

  const execute = async <T>(command: string, args?: Readonly<Record<string, unknown>>, ending?: AbortSignal) => {
    ending?.throwIfAborted();
    if (ended) throw new QmpLost(ended.message, undefined, { cause: ended });
    count += 1;
    const id = count;
    const { promise, resolve } = Promise.withResolvers<Record<string, unknown> | Error>();
    waiting.set(id, { command, settle: resolve });
    socket.write(`${JSON.stringify({ execute: command, ...(args && { arguments: args }), id })}\n`);
    const late = () => new QmpLost(`no answer to ${command} within ${timeoutMs / 1000} s`, command);
    const answer = await within(promise, timeoutMs, late, ending).finally(() => waiting.delete(id));
    if (answer instanceof Error) throw answer;
    if ("error" in answer) throw new QmpRefused(command, descriptionOf(answer.error));
    return answer.return as T;
  };

  try {
    const silent = () => new QmpLost(`no greeting within ${timeoutMs / 1000} s`);
    await within(greeted.promise, until - Date.now(), silent, signal);
    await execute("qmp_capabilities", undefined, signal);
  } catch (error) {
    end(new Error("closed"));
    throw error;
  }
  return { execute, close: () => end(new Error("closed")) };
}

/** Whether a process listens there. A socket file alone says nothing: it outlives a process that was killed. */
export async function isListening(path: string): Promise<boolean> {
  for (;;) {
    const tried = await tryConnect(path);
    if (typeof tried !== "string") {
      tried.destroy();
      return true;
    }
    if (isNobody(tried)) return false;
    if (tried === FULL) return true;
    if (tried !== CUT_OFF) throw new QmpLost(`cannot connect to ${path}: ${tried}`);
  }
}

/** QEMU's queue holds two connections; a further one is refused and has to try again. */
const FULL = "EAGAIN";
/** The process ended while this connection waited in its queue, or while it served another. */
const CUT_OFF = "ECONNRESET";
const isNobody = (code: string) => code === "ENOENT" || code === "ECONNREFUSED" || code === "ENOTDIR";

async function connected(path: string, until: number, signal?: AbortSignal): Promise<Duplex> {
  for (;;) {
    signal?.throwIfAborted();
    const tried = await tryConnect(path);
    if (typeof tried !== "string") return tried;
    if (isNobody(tried)) throw new NotListening(`no process listens at ${path}`);
    if (tried !== FULL && tried !== CUT_OFF) throw new QmpLost(`cannot connect to ${path}: ${tried}`);
    if (Date.now() >= until) throw new QmpLost(`others have kept ${path} busy`);
    await sleep(QUEUE_RETRY_MS, undefined, signal && { signal });
  }
}

const tryConnect = (path: string): Promise<Duplex | string> =>
  connectUnix(path).catch((error: NodeJS.ErrnoException) => error.code ?? error.message);

/** @throws what `late` makes when the time is up; the signal's reason */
async function within<T>(work: Promise<T>, ms: number, late: () => Error, signal?: AbortSignal): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const limit = setTimeout(() => reject(late()), Math.max(0, ms));
  const stop = () => reject(signal?.reason);
  signal?.addEventListener("abort", stop, { once: true });
  if (signal?.aborted) stop();
  try {
    return await Promise.race([work, promise]);
  } finally {
    clearTimeout(limit);
    signal?.removeEventListener("abort", stop);
  }
}

const descriptionOf = (error: unknown): string =>
  typeof error === "object" && error !== null && "desc" in error ? String(error.desc) : JSON.stringify(error);
