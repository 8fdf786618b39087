// Stands between a client and the libvirt daemon and can hold a call back, or lose it in every way that a connection or a
// daemon can: what happens at exactly that moment is then no matter of luck.

import { connect, createServer, type Socket } from "node:net";
import {
  encodeFrame,
  type Frame,
  FrameReader,
  MESSAGE_STATUS,
  MESSAGE_TYPE,
  REMOTE_PROGRAM,
} from "../../plugins/libvirt/client/frames.ts";
import { nothing } from "../../plugins/libvirt/client/procedure.ts";
import { XdrWriter } from "../../plugins/libvirt/client/xdr.ts";

export type Held = Readonly<{ procedure: number; count: number }>;

/** What becomes of one call. `before`: the daemon never gets it. `during`: the daemon gets it, and what is done to the
 * connection is not kept waiting for its answer. `after`: once the daemon has answered. */
export type Fault = Readonly<{
  when: "before" | "during" | "after";
  /** The client's connection closes at once, and the daemon gets the call once this is over. */
  heldUntil?: Promise<void>;
  /** `drop`: the connection closes. `away`: so does every other one, and there is no new one. `swallow`: the call is never
   * answered. `hang`: neither is anything else. `error`: the daemon says that it failed. `garbage`: bytes that are no
   * packet. `malformed`: a packet that is no answer to this call. */
  how: "drop" | "away" | "swallow" | "hang" | "error" | "garbage" | "malformed";
}>;

export type LibvirtProxy = Readonly<{
  /** Ends every connection; the next one is let in, whatever was before. */
  cut: () => void;
  close: () => Promise<void>;
}>;

/** Listens at `path` and passes everything on, each call after `before` has let it through; `count` is how many calls of
 * that procedure there have been, this one included. */
export async function openProxy(
  path: string,
  before: (call: Held) => Promise<Fault | undefined> | Promise<void>,
  daemon = "/run/libvirt/libvirt-sock",
  /** Told of each answer of the daemon, by procedure, before the client has it. */
  answered: (procedure: number) => void = () => {},
): Promise<LibvirtProxy> {
  const counts = new Map<number, number>();
  const links = new Set<{ end: () => void }>();
  let state: "answers" | "away" | "hangs" = "answers";
  const cut = () => {
    for (const link of links) link.end();
  };
  const server = createServer((client) => {
    client.on("error", () => client.destroy());
    if (state === "away") return client.destroy();
    const upstream = connect(daemon);
    /** The daemon has not had its last call yet. */
    let held = false;
    const link = { end: () => destroyBoth(client, held ? undefined : upstream) };
    links.add(link);
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      one.on("error", () => other.destroy());
      one.on("close", () => {
        links.delete(link);
        if (!held) other.destroy();
      });
    }
    /** Calls whose answer is still to be lost, by serial. */
    const lost = new Map<number, Fault>();
    const strike = ({ how }: Fault, frame: Frame) => {
      if (how === "away" || how === "hang") state = how === "away" ? "away" : "hangs";
      if (how === "away") cut();
      else if (how === "drop") link.end();
      else if (how !== "swallow" && how !== "hang") client.write(wrongAnswer(how, frame));
    };
    const calls = new FrameReader();
    client.on("data", (chunk) => {
      for (const frame of calls.read(chunk)) {
        const { header, payload } = frame;
        const pass = () => {
          if (state !== "hangs") upstream.write(encodeFrame(header, payload));
        };
        if (header.program !== REMOTE_PROGRAM) {
          pass();
          continue;
        }
        const count = (counts.get(header.procedure) ?? 0) + 1;
        counts.set(header.procedure, count);
        // A call that is held back does not hold back those behind it: the daemon takes several at a time, too.
        void Promise.resolve(before({ procedure: header.procedure, count })).then((fault) => {
          if (fault?.heldUntil) {
            held = true;
            client.destroy();
            return void fault.heldUntil.then(() => upstream.end(encodeFrame(header, payload)));
          }
          if (fault?.when === "before") return strike(fault, frame);
          if (fault?.when === "after") lost.set(header.serial, fault);
          if (fault?.when !== "during") return pass();
          lost.set(header.serial, { when: "after", how: "swallow" });
          upstream.write(encodeFrame(header, payload), () => strike(fault, frame));
        });
      }
    });
    const answers = new FrameReader();
    upstream.on("data", (chunk) => {
      for (const frame of answers.read(chunk)) {
        const { header, payload } = frame;
        if (header.program === REMOTE_PROGRAM && header.type === MESSAGE_TYPE.reply) answered(header.procedure);
        const fault = header.type === MESSAGE_TYPE.reply ? lost.get(header.serial) : undefined;
        if (fault) strike(fault, frame);
        else if (state !== "hangs") client.write(encodeFrame(header, payload));
      }
    });
  });
  await new Promise<void>((listening) => server.listen(path, listening));
  return {
    cut() {
      state = "answers";
      cut();
    },
    close: () => {
      cut();
      return new Promise((closed) => server.close(() => closed()));
    },
  };
}

function destroyBoth(client: Socket, upstream: Socket | undefined): void {
  client.destroy();
  // What the daemon has been given it is to read before it sees the end.
  upstream?.end();
}

function wrongAnswer(how: "error" | "garbage" | "malformed", { header }: Frame): Buffer {
  if (how === "garbage") return Buffer.from("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
  const status = how === "error" ? MESSAGE_STATUS.error : MESSAGE_STATUS.ok;
  const writer = new XdrWriter();
  if (how === "error") writeError(writer);
  else writer.fixed(Buffer.alloc(12, 0xff));
  return encodeFrame({ ...header, type: MESSAGE_TYPE.reply, status }, writer.bytes());
}

/** virNetMessageError: code, part, message, severity, and then what nobody reads any more. */
function writeError(writer: XdrWriter): void {
  const [internalError, fromQemu, severe] = [1, 10, 2];
  writer.int(internalError);
  writer.int(fromQemu);
  writer.optional("the proxy was told to fail", (text) => writer.string(text));
  writer.int(severe);
  for (let text = 0; text < 4; text++) writer.optional(undefined, nothing);
  for (const word of [0, 0]) writer.int(word);
  writer.optional(undefined, nothing);
}
