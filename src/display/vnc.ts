/** The way to a VM's VNC server (RFC 6143): connects, and shows who it is in the server's stead. What comes out asks for no
 * password, so that none leaves this process. */
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
  /** What the server may ask for. */
  password?: string;
  signal?: AbortSignal | undefined;
  /** For connecting and for what comes before the first picture, in milliseconds. */
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
  EACCES: "this server's user may not connect to its VNC socket, which only QEMU's own user and root may",
  ENOENT: "its VNC socket is not there",
  ECONNREFUSED: "nobody listens at its VNC address",
};

function reasonOf(error: unknown): string {
  const { code = "", message } = error as NodeJS.ErrnoException;
  return refusedBy[code] ?? message;
}

/** Goes through the handshake up to where a client says whether it shares the screen, and gives what is left. */
async function authenticated(connection: HostConnection, password: string | undefined): Promise<HostConnection> {
  const reader = byteReader(connection.readable, "its VNC server has ended the connection");
  const writer = connection.writable.getWriter();
  const version = (await reader.take(VERSION.length)).toString("latin1");
  if (!/^RFB 003\.\d{3}\n$/.test(version) || version < VERSION)
    throw new Error("its display speaks no VNC that is known");
  await writer.write(Buffer.from(VERSION));
  const count = (await reader.take(1)).readUInt8();
  if (count === 0) throw new Error(`its VNC server says: ${await reasonFrom(reader)}`);
  const offered = [...(await reader.take(count))];
  const chosen = [NONE, PASSWORD].find((type) => offered.includes(type!));
  if (chosen === undefined) throw new Error("its VNC server wants TLS or SASL");
  if (chosen === PASSWORD && password === undefined) throw new Error("its VNC server wants a password that nobody has");
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

/** VNC's own way to use DES: of each byte of the key the lowest bit comes first. What is left of DES everywhere is triple
 * DES, which with one key thrice is DES. */
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

/** A handshake without a password, as a server has it: what the client must say, and what it is told then. */
const steps: readonly Readonly<{ heard: Buffer; said: Uint8Array }>[] = [
  { heard: Buffer.from(VERSION), said: Uint8Array.of(1, NONE) },
  { heard: Buffer.from([NONE]), said: Uint8Array.of(0, 0, 0, 0) },
];

/** What is left of the connection, behind a handshake of our own. noVNC takes no step of it before the step's time. */
function streamsOf(raw: HostConnection): Console {
  let say!: (bytes: Uint8Array) => void;
  const greeted = new TransformStream<Uint8Array, Uint8Array>({
    start(controller) {
      say = (bytes) => controller.enqueue(bytes);
      say(Buffer.from(VERSION));
    },
  });
  let [step, place] = [0, 0];
  const answered = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      let rest = chunk;
      for (let current = steps[step]; current && rest.length > 0; current = steps[step]) {
        const { heard, said } = current;
        const own = rest.subarray(0, heard.length - place);
        if (!heard.subarray(place, place + own.length).equals(own))
          throw new Error("the client does not speak VNC 3.8");
        rest = rest.subarray(own.length);
        place += own.length;
        if (place < heard.length) return;
        [step, place] = [step + 1, 0];
        say(said);
      }
      if (rest.length > 0) controller.enqueue(rest);
    },
  });
  // Who reads and writes is told how it ended.
  answered.readable.pipeTo(raw.writable).catch(() => raw.close());
  raw.readable.pipeTo(greeted.writable).catch(() => raw.close());
  return { kind: "vnc", readable: greeted.readable, writable: answered.writable };
}
