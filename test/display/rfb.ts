/** As much of VNC (RFC 6143) as a test needs: a client that goes as far as the screen's size, and a server. */
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import type { Console } from "../../src/domain/ports/backend-groups.ts";

export const VERSION = "RFB 003.008\n";

export type Screen = Readonly<{ width: number; height: number; name: string }>;

/** Reads so many bytes at a time, whatever the pieces are in which they come. */
export function readerOf(readable: ReadableStream<Uint8Array>) {
  const reader = readable.getReader();
  let left = Buffer.alloc(0);
  return {
    async take(bytes: number): Promise<Buffer> {
      while (left.length < bytes) {
        const { value, done } = await reader.read();
        if (done) throw new Error(`it ended after ${left.length} of ${bytes} bytes`);
        left = Buffer.concat([left, value]);
      }
      const taken = left.subarray(0, bytes);
      left = left.subarray(bytes);
      return taken;
    },
    /** Reads on until there is nothing more. */
    async end(): Promise<void> {
      while (!(await reader.read()).done);
    },
    cancel: () => reader.cancel(),
  };
}

/** Goes through the handshake as a client that has no password. */
export async function screenOf({ readable, writable }: Pick<Console, "readable" | "writable">) {
  const reader = readerOf(readable);
  const writer = writable.getWriter();
  const version = (await reader.take(12)).toString();
  await writer.write(Buffer.from(VERSION));
  const [count] = await reader.take(1);
  const types = [...(await reader.take(count!))];
  await writer.write(Uint8Array.of(1));
  const result = (await reader.take(4)).readUInt32BE();
  // It shares the screen with others.
  await writer.write(Uint8Array.of(1));
  const init = await reader.take(24);
  const name = (await reader.take(init.readUInt32BE(20))).toString();
  const screen: Screen = { width: init.readUInt16BE(0), height: init.readUInt16BE(2), name };
  return { version, types, result, screen, reader, writer };
}

/** A server on a unix socket of its own, which is gone when the test has ended. Returns the socket's path. */
export async function vncServer(serve: (socket: Socket) => void): Promise<string> {
  const directory = mkdtempSync(join(tmpdir(), "bw-vnc-"));
  const path = join(directory, "socket");
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    open.add(socket.on("error", () => undefined));
    serve(socket);
  });
  await new Promise<void>((listening) => server.listen(path, listening));
  onTestFinished(() => {
    for (const socket of open) socket.destroy();
    server.close();
    rmSync(directory, { recursive: true, force: true });
  });
  return path;
}

/** A server of screens that lets everybody in and then says what it hears. */
export async function screens() {
  const open: Socket[] = [];
  const path = await vncServer((socket) => {
    open.push(socket);
    socket.write(VERSION);
    socket.once("data", () => {
      socket.write(Uint8Array.of(1, 1));
      socket.once("data", () => {
        socket.write(Uint8Array.of(0, 0, 0, 0));
        socket.pipe(socket);
      });
    });
  });
  return { open, path };
}
