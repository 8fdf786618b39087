import { describe, expect, it } from "vitest";
import { byteReader } from "../../src/display/byte-reader.ts";

const streamOf = (...chunks: string[]) =>
  new ReadableStream<Uint8Array>({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(Buffer.from(chunk));
      controller.close();
    },
  });

describe("byteReader()", () => {
  it("takes exactly what is asked for, however the stream is cut, and hands over the rest", async () => {
    const reader = byteReader(streamOf("R", "FB 0", "03.008\nab", "cd"), "ended");
    expect((await reader.take(0)).toString()).toBe("");
    expect((await reader.take(12)).toString()).toBe("RFB 003.008\n");
    expect((await reader.take(1)).toString()).toBe("a");
    expect(await new Response(reader.rest()).text()).toBe("bcd");
  });

  it("refuses when the stream ends before", async () => {
    await expect(byteReader(streamOf("abc"), "it has ended").take(4)).rejects.toThrow("it has ended");
  });

  it("hands over the stream as it is where nothing is left over", async () => {
    const stream = streamOf("ab", "cd");
    const reader = byteReader(stream, "ended");
    await reader.take(2);
    expect(reader.rest()).toBe(stream);
  });
});
