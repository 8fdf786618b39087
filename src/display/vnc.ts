/** Connects to a VM's VNC server (RFC 6143) and authenticates. The resulting stream asks for no password, so that the
 * password does not leave this process. */
import { createCipheriv } from "node:crypto";
import { connect, type Socket } from "node:net";
import { Duplex } from "node:stream";
import { DomainError } from "../domain/error.ts";
import type { Console } from "../domain/ports/backend-groups.ts";

/** A unix socket, or an address of this host. */
export type VncAddress = Readonly<{ path: string } | { host: string; port: number }>;

export type VncOptions = Readonly<{
  /** The VM, for the refusal. */
  vm: string;
  /** For a server that asks for one. */
  password?: string;
  signal?: AbortSignal | undefined;
  /** The time limit of connection and handshake, in milliseconds. */
  limitMs?: number;
}>;

const LIMIT_MS = 10_000;
const VERSION = "RFB 003.008\n";
const [NONE, PASSWORD] = [1, 2];
const REASON_BYTES_MAX = 200;

/** @throws DomainError CONSOLE_UNAVAILABLE; the signal's reason */
export async function openVnc(at: VncAddress, { vm, password, signal, limitMs }: VncOptions): Promise<Console> {
  signal?.throwIfAborted();
  const refuse = (reason: string, cause?: unknown) => new DomainError("CONSOLE_UNAVAILABLE", { vm, reason }, { cause });
  let socket: Socket | undefined;
  const end = () => socket?.destroy();
  const limit = setTimeout(end, limitMs ?? LIMIT_MS);
  signal?.addEventListener("abort", end, { once: true });
  try {
    socket = connect("path" in at ? { path: at.path } : at);
    // Readers see the end of the socket. Without a listener "error" would end the process.
    socket.on("error", () => undefined);
    await connected(socket);
    await authenticate(socket, password);
    return streamsOf(socket);
  } catch (error) {
    end();
    signal?.throwIfAborted();
    throw refuse(reasonOf(error), error);
  } finally {
    clearTimeout(limit);
    signal?.removeEventListener("abort", end);
  }
}

const refusedBy: Readonly<Record<string, string>> = {
  EACCES: "only QEMU's own user and root may connect to its VNC socket",
  ENOENT: "its VNC socket is missing",
  ECONNREFUSED: "nothing listens at its VNC address",
};

function reasonOf(error: unknown): string {
  const { code = "", message } = error as NodeJS.ErrnoException;
  return refusedBy[code] ?? message;
}

const connected = (socket: Socket) =>
  new Promise<void>((resolve, reject) => {
    socket.once("connect", resolve).once("error", reject);
    socket.once("close", () => reject(new Error("its VNC server does not answer")));
  });

/** Does the handshake up to the ClientInit message. */
async function authenticate(socket: Socket, password: string | undefined): Promise<void> {
  const version = (await take(socket, VERSION.length)).toString("latin1");
  if (!/^RFB 003\.\d{3}\n$/.test(version) || version < VERSION)
    throw new Error("its display speaks no known VNC version");
  socket.write(VERSION);
  const count = (await take(socket, 1)).readUInt8();
  if (count === 0) throw new Error(`its VNC server says: ${await reasonFrom(socket)}`);
  const offered = [...(await take(socket, count))];
  const chosen = [NONE, PASSWORD].find((type) => offered.includes(type!));
  if (chosen === undefined) throw new Error("its VNC server requires TLS or SASL");
  if (chosen === PASSWORD && password === undefined)
    throw new Error("its VNC server requires a password, and none is known");
  socket.write(Uint8Array.of(chosen));
  if (chosen === PASSWORD) socket.write(answerTo(await take(socket, 16), password!));
  if ((await take(socket, 4)).readUInt32BE() === 0) return;
  throw new Error(`its VNC server refuses: ${await reasonFrom(socket)}`);
}

async function reasonFrom(socket: Socket): Promise<string> {
  const bytes = (await take(socket, 4)).readUInt32BE();
  const text = (await take(socket, Math.min(bytes, REASON_BYTES_MAX))).toString("utf8");
  return text.replace(/\p{Cc}/gu, " ");
}

/** VNC's use of DES reverses the bits of each key byte. OpenSSL may lack single DES, and triple DES with one key three times
 * equals it. */
export function answerTo(challenge: Uint8Array, password: string): Buffer {
  const key = Buffer.alloc(8);
  Buffer.from(password, "utf8").copy(key, 0, 0, 8);
  const mirrored = key.map((byte) =>
    [...Array(8).keys()].reduce((sum, bit) => sum | (((byte >> bit) & 1) << (7 - bit)), 0),
  );
  const block = (from: number) => {
    const cipher = createCipheriv("des-ede3-cbc", Buffer.concat([mirrored, mirrored, mirrored]), Buffer.alloc(8));
    cipher.setAutoPadding(false);
    return Buffer.concat([cipher.update(challenge.subarray(from, from + 8)), cipher.final()]);
  };
  return Buffer.concat([block(0), block(8)]);
}

/** Reads exactly `bytes` bytes. @throws Error if the connection ends earlier */
async function take(socket: Socket, bytes: number): Promise<Buffer> {
  for (;;) {
    const got = bytes === 0 ? Buffer.alloc(0) : (socket.read(bytes) as Buffer | null);
    if (got?.length === bytes) return got;
    if (got !== null || socket.destroyed || socket.readableEnded)
      throw new Error("its VNC server has ended the connection");
    await new Promise<void>((resolve) => {
      const woken = () => {
        for (const event of ["readable", "end", "close"]) socket.off(event, woken);
        resolve();
      };
      for (const event of ["readable", "end", "close"]) socket.on(event, woken);
    });
  }
}

/** A server's side of a handshake without a password: the expected message of the client, and the reply. */
const steps: readonly Readonly<{ received: Buffer; reply: Uint8Array }>[] = [
  { received: Buffer.from(VERSION), reply: Uint8Array.of(1, NONE) },
  { received: Buffer.from([NONE]), reply: Uint8Array.of(0, 0, 0, 0) },
];

/** The rest of the connection, behind a handshake of its own. noVNC accepts each step only in its turn. */
function streamsOf(socket: Socket): Console {
  const raw = Duplex.toWeb(socket) as Pick<Console, "readable" | "writable">;
  let sendToClient!: (bytes: Uint8Array) => void;
  const greeted = new TransformStream<Uint8Array, Uint8Array>({
    start(controller) {
      sendToClient = (bytes) => controller.enqueue(bytes);
      sendToClient(Buffer.from(VERSION));
    },
  });
  let [step, place] = [0, 0];
  const answered = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      let rest = chunk;
      for (let current = steps[step]; current && rest.length > 0; current = steps[step]) {
        const { received, reply } = current;
        const own = rest.subarray(0, received.length - place);
        if (!received.subarray(place, place + own.length).equals(own))
          throw new Error("the client does not speak VNC 3.8");
        rest = rest.subarray(own.length);
        place += own.length;
        if (place < received.length) return;
        [step, place] = [step + 1, 0];
        sendToClient(reply);
      }
      if (rest.length > 0) controller.enqueue(rest);
    },
  });
  // Readers and writers get the error themselves.
  answered.readable.pipeTo(raw.writable).catch(() => socket.destroy());
  raw.readable.pipeTo(greeted.writable).catch(() => socket.destroy());
  return { kind: "vnc", readable: greeted.readable, writable: answered.writable };
}
