/** Connections to unix sockets. On Deno they are Deno's own: those that Deno 2.9 makes for node:net were seen to close file
 * descriptors which had become another file's by then. */
import { once } from "node:events";
import { connect } from "node:net";
import { Duplex } from "node:stream";

type DenoConnection = Readonly<{
  /** Null at the end. */
  read(into: Uint8Array): Promise<number | null>;
  write(bytes: Uint8Array): Promise<number>;
  close(): void;
}>;
type Deno = Readonly<{ connect(to: { transport: "unix"; path: string }): Promise<DenoConnection> }>;

const PIECE_BYTES = 64 * 1024;

/** @throws the system's error, with its code */
export async function connectUnix(path: string): Promise<Duplex> {
  const { Deno } = globalThis as { Deno?: Deno };
  const socket = Deno ? duplexOf(await Deno.connect({ transport: "unix", path })) : connect(path);
  if (!Deno) await once(socket, "connect");
  // Whoever has no ear for a failure sees that it has closed.
  return socket.on("error", () => {});
}

function duplexOf(connection: DenoConnection): Duplex {
  return new Duplex({
    // As node:net does: the end of what is read is the end of it all.
    allowHalfOpen: false,
    read() {
      const bytes = new Uint8Array(PIECE_BYTES);
      connection.read(bytes).then(
        (count) => this.push(count === null ? null : Buffer.from(bytes.buffer, 0, count)),
        (error: Error) => this.destroy(error),
      );
    },
    write(chunk: Buffer, _encoding, done) {
      writeAll(connection, chunk).then(() => done(), done);
    },
    destroy(error, done) {
      try {
        connection.close();
      } catch {
        // It has ended by itself.
      }
      done(error);
    },
  });
}

async function writeAll(connection: DenoConnection, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length; ) at += await connection.write(bytes.subarray(at));
}
