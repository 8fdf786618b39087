import { PassThrough } from "node:stream";
import { describe, expect, it } from "vitest";
import { readMessages, writeMessage } from "../../src/plugin-host/ipc-framing.ts";

const framed = (message: unknown): Buffer => {
  const stream = new PassThrough();
  writeMessage(stream, message);
  return stream.read() as Buffer;
};
/** What was read when the bytes come in these parts. */
async function read(parts: readonly Buffer[], bytesMax?: number): Promise<unknown[]> {
  const [stream, seen] = [new PassThrough(), [] as unknown[]];
  readMessages(stream, (value) => seen.push(value), bytesMax);
  const closed = new Promise((resolve) => stream.once("close", resolve));
  for (const part of parts) stream.write(part);
  stream.end();
  await closed;
  return seen;
}

describe("messages", () => {
  const messages = [{ a: 1 }, { body: new Uint8Array([1, 2, 3]) }, { text: "ä".repeat(100) }];
  const bytes = Buffer.concat(messages.map(framed));

  it.each([1_000, 7, 1])("come out as they went in, in parts of %i bytes", async (size) => {
    const count = Math.ceil(bytes.length / size);
    const parts = Array.from({ length: count }, (_, at) => bytes.subarray(at * size, (at + 1) * size));
    expect(await read(parts)).toEqual(messages);
  });

  it("end with the first thing that is none", async () => {
    const garbage = Buffer.from("\0\0\0\x04junk");
    expect(await read([framed({ a: 1 }), garbage, framed({ b: 2 })])).toEqual([{ a: 1 }, undefined]);
    expect(await read([framed({ text: "x".repeat(100) }), framed({ b: 2 })], 50)).toEqual([undefined]);
    // Its length alone is enough: nothing waits for the rest.
    expect(await read([Buffer.from("\xff\xff\xff\xff", "latin1")], 50)).toEqual([undefined]);
  });

  it("cannot be written when they cannot be cloned, or are too long", () => {
    const stream = new PassThrough();
    expect(() => writeMessage(stream, { run: () => undefined })).toThrow("could not be cloned");
    expect(() => writeMessage(stream, "x".repeat(100), 50)).toThrow("50 bytes at most");
    expect(stream.read()).toBeNull();
  });
});
