/** Messages between two processes over a byte stream: a 4-byte length, then the V8 serialisation. Node's own IPC channel is
 * not used, since a malformed message there ends the reading process. */
import type { Readable, Writable } from "node:stream";
import { deserialize, serialize } from "node:v8";

/** The largest message of a worker, in bytes. */
export const MESSAGE_MAX = 16 * 1024 ** 2;
const HEADER = 4;

/** @throws Error for a message that cannot be cloned or is larger than `bytesMax` */
export function writeMessage(stream: Writable, message: unknown, bytesMax = 2 ** 32 - 1): void {
  const body = serialize(message);
  if (body.length > bytesMax) throw new Error(`a message has ${bytesMax} bytes at most, this one has ${body.length}`);
  const header = Buffer.alloc(HEADER);
  header.writeUInt32BE(body.length);
  stream.write(Buffer.concat([header, body]));
}

/** Calls `message` with each message. At the first malformed one it calls `message` with undefined and stops reading. */
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
