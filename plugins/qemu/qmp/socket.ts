/** Connections to unix sockets. On Deno they use Deno's own API: those of Deno 2.9's node:net were observed to close
 * file descriptors that belonged to another file by then. */
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
  // A user without an error listener still sees the close.
  return socket.on("error", () => {});
}

function duplexOf(connection: DenoConnection): Duplex {
  return new Duplex({
    // Like node:net, the end of the readable side ends the connection.
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
