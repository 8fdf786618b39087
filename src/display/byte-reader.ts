/** Reads a stream of bytes in pieces of a wanted size. */

export type ByteReader = Readonly<{
  /** Exactly so many bytes. @throws Error when the stream ends before */
  take(bytes: number): Promise<Buffer>;
  /** What has not been taken, as a stream; nothing can be taken after that. */
  rest(): ReadableStream<Uint8Array>;
}>;

export function byteReader(stream: ReadableStream<Uint8Array>, ended: string): ByteReader {
  const reader = stream.getReader();
  let held: Buffer = Buffer.alloc(0);
  return {
    async take(bytes) {
      while (held.length < bytes) {
        const { done, value } = await reader.read();
        if (done) throw new Error(ended);
        held = Buffer.concat([held, value]);
      }
      const taken = held.subarray(0, bytes);
      held = held.subarray(bytes);
      return taken;
    },
    rest() {
      reader.releaseLock();
      if (held.length === 0) return stream;
      const first = held;
      return stream.pipeThrough(
        new TransformStream<Uint8Array, Uint8Array>({ start: (controller) => controller.enqueue(first) }),
      );
    },
  };
}
