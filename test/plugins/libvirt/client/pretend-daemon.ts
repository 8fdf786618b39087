// A daemon that misbehaves on purpose, which the real one cannot be made to do. It speaks the header, lets everybody
// in and opens everything; each later call is the test's to answer, rightly or not.

import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  encodeFrame,
  type FrameHeader,
  FrameReader,
  KEEPALIVE_PROGRAM,
} from "../../../../plugins/libvirt/client/frames.ts";
import { PROCEDURE } from "../../../../plugins/libvirt/client/procedure.ts";
import { XdrWriter } from "../../../../plugins/libvirt/client/xdr.ts";

export interface ReceivedCall {
  readonly header: FrameHeader;
  readonly socket: Socket;
  /** Sends a packet with the header of a right answer, except for what `changes` says. */
  send(payload: Uint8Array, changes?: Partial<FrameHeader>): void;
}

export interface PretendDaemon {
  readonly socketPath: string;
  readonly connections: number;
  stop(): Promise<void>;
}

export async function pretendDaemon(onCall: (call: ReceivedCall) => void): Promise<PretendDaemon> {
  const directory = await mkdtemp(join(tmpdir(), "bootwright-pretend-"));
  const socketPath = join(directory, "sock");
  const sockets = new Set<Socket>();
  let connections = 0;
  const server = createServer((socket) => {
    connections++;
    sockets.add(socket);
    const frames = new FrameReader();
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
    socket.on("data", (chunk) => {
      for (const { header } of frames.read(chunk)) {
        const send = (payload: Uint8Array, changes: Partial<FrameHeader> = {}) =>
          socket.write(encodeFrame({ ...header, type: 1, ...changes }, payload));
        if (header.program === KEEPALIVE_PROGRAM) onCall({ header, socket, send });
        else if (header.procedure === PROCEDURE.AUTH_LIST) send(words(1, 0));
        else if (header.procedure === PROCEDURE.CONNECT_OPEN) send(words());
        else onCall({ header, socket, send });
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  return {
    socketPath,
    get connections() {
      return connections;
    },
    async stop() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** A payload of 32-bit words. */
export function words(...values: number[]): Buffer {
  const writer = new XdrWriter();
  for (const value of values) writer.unsigned(value);
  return Buffer.from(writer.bytes());
}

/** A payload of one text. */
export function text(value: string): Buffer {
  const writer = new XdrWriter();
  writer.string(value);
  return Buffer.from(writer.bytes());
}
