/** Messages between two processes over a stream of bytes: each as V8 clones it, behind its length. Node's own channel
 * between processes would do, but what it cannot read ends the process that reads. */
import type { Readable, Writable } from "node:stream";
import { deserialize, serialize } from "node:v8";

/** What a worker sends at once, in bytes. */
export const MESSAGE_MAX = 16 * 1024 ** 2;
const HEADER = 4;

/** @throws Error for what cannot be cloned, or is larger than the other side takes */
export function writeMessage(stream: Writable, message: unknown, bytesMax = 2 ** 32 - 1): void {
  const body = serialize(message);
  if (body.length > bytesMax) throw new Error(`a message has ${bytesMax} bytes at most, this one has ${body.length}`);
  const header = Buffer.alloc(HEADER);
  header.writeUInt32BE(body.length);
  stream.write(Buffer.concat([header, body]));
}

/** Tells of each message, and of the first thing that is none as undefined, after which nothing more is read. */
export function readMessages(stream: Readable, message: (value: unknown) => void, bytesMax = 2 ** 32 - 1): void {
  let [parts, held, needed] = [[] as Buffer[], 0, HEADER];
  stream.on("data", (chunk: Buffer) => {
    parts.push(chunk);
    held += chunk.length;
    while (held >= needed && !stream.destroyed) {
      const bytes = Buffer.concat(parts);
      needed = HEADER + bytes.readUInt32BE();
      const value = held >= needed ? clone(bytes.subarray(HEADER, needed)) : undefined;
      if (needed > HEADER + bytesMax || (held >= needed && value === undefined)) {
        stream.destroy();
        return message(undefined);
      }
      parts = [bytes];
      if (held < needed) return;
      parts = [bytes.subarray(needed)];
      held -= needed;
      needed = HEADER;
      message(value);
    }
  });
}

function clone(body: Buffer): unknown {
  try {
    return deserialize(body);
  } catch {
    return undefined;
  }
}
