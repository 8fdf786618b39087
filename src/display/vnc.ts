/** Connects to a VM's VNC server (RFC 6143) and authenticates. The resulting stream asks for no password, so that the
 * password does not leave this process. */
import { createCipheriv } from "node:crypto";
import { startDeadline } from "../domain/deadline.ts";
import { DomainError } from "../domain/error.ts";
import type { Console } from "../domain/ports/backend-groups.ts";
import type { HostAccess, HostConnection, SocketAddress } from "../domain/ports/host-access.ts";
import { localHost } from "../host-access/local-host.ts";
import { type ByteReader, byteReader } from "./byte-reader.ts";

export type VncAddress = SocketAddress;

export type VncOptions = Readonly<{
  /** The VM, for the refusal. */
  vm: string;
  /** For a server that asks for one. */
  password?: string;
  signal?: AbortSignal | undefined;
  /** The time limit of connection and handshake, in milliseconds. */
  limitMs?: number;
  /** Connects on the host that the VM runs on; on this host unless given. */
  connect?: NonNullable<HostAccess["connect"]>;
}>;

const LIMIT_MS = 10_000;
const VERSION = "RFB 003.008\n";
const [NONE, PASSWORD] = [1, 2];
const REASON_BYTES_MAX = 200;

/** @throws DomainError CONSOLE_UNAVAILABLE; the signal's reason */
export async function openVnc(
  at: VncAddress,
  { vm, password, signal, limitMs = LIMIT_MS, connect = localHost.connect }: VncOptions,
): Promise<Console> {
  signal?.throwIfAborted();
  const refuse = (reason: string, cause?: unknown) => new DomainError("CONSOLE_UNAVAILABLE", { vm, reason }, { cause });
  const deadline = startDeadline(limitMs, signal);
  let connection: HostConnection | undefined;
  const end = () => connection?.close();
  deadline.signal.addEventListener("abort", end, { once: true });
  try {
    connection = await connect(at, deadline.signal);
    return streamsOf(await authenticated(connection, password));
  } catch (error) {
    end();
    signal?.throwIfAborted();
    throw refuse(deadline.signal.aborted ? "its VNC server does not answer" : reasonOf(error), error);
  } finally {
    deadline.signal.removeEventListener("abort", end);
    deadline.end();
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

/** Does the handshake up to the ClientInit message. Returns the rest of the connection. */
async function authenticated(connection: HostConnection, password: string | undefined): Promise<HostConnection> {
  const reader = byteReader(connection.readable, "its VNC server has ended the connection");
  const writer = connection.writable.getWriter();
  const version = (await reader.take(VERSION.length)).toString("latin1");
  if (!/^RFB 003\.\d{3}\n$/.test(version) || version < VERSION)
    throw new Error("its display speaks no known VNC version");
  await writer.write(Buffer.from(VERSION));
  const count = (await reader.take(1)).readUInt8();
  if (count === 0) throw new Error(`its VNC server says: ${await reasonFrom(reader)}`);
  const offered = [...(await reader.take(count))];
  const chosen = [NONE, PASSWORD].find((type) => offered.includes(type!));
  if (chosen === undefined) throw new Error("its VNC server requires TLS or SASL");
  if (chosen === PASSWORD && password === undefined)
    throw new Error("its VNC server requires a password, and none is known");
  await writer.write(Uint8Array.of(chosen));
  if (chosen === PASSWORD) await writer.write(answerTo(await reader.take(16), password!));
  if ((await reader.take(4)).readUInt32BE() !== 0)
    throw new Error(`its VNC server refuses: ${await reasonFrom(reader)}`);
  writer.releaseLock();
  return { ...connection, readable: reader.rest() };
}

async function reasonFrom(reader: ByteReader): Promise<string> {
  const bytes = (await reader.take(4)).readUInt32BE();
  const text = (await reader.take(Math.min(bytes, REASON_BYTES_MAX))).toString("utf8");
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

/** A server's side of a handshake without a password: the expected message of the client, and the reply. */
const steps: readonly Readonly<{ received: Buffer; reply: Uint8Array }>[] = [
  { received: Buffer.from(VERSION), reply: Uint8Array.of(1, NONE) },
  { received: Buffer.from([NONE]), reply: Uint8Array.of(0, 0, 0, 0) },
];

/** The rest of the connection, behind a handshake of its own. noVNC accepts each step only in its turn. */
function streamsOf(raw: HostConnection): Console {
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
  answered.readable.pipeTo(raw.writable).catch(() => raw.close());
  raw.readable.pipeTo(greeted.writable).catch(() => raw.close());
  return { kind: "vnc", readable: greeted.readable, writable: answered.writable };
}
