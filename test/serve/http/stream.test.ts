import { expect, it, onTestFinished, vi } from "vitest";
import { watchStream } from "../../../src/serve/http/stream.ts";

const MIB = 2 ** 20;

/** What the protocol's SDK answers with: whatever is written is kept until somebody reads it. */
function answer() {
  let controller!: ReadableStreamDefaultController<Uint8Array>;
  const cancelled = Promise.withResolvers<void>();
  const body = new ReadableStream<Uint8Array>({
    start(started) {
      controller = started;
    },
    cancel: () => cancelled.resolve(),
  });
  const response = new Response(body, { status: 200, headers: { "content-type": "text/event-stream" } });
  return {
    response,
    write: (bytes: number) => controller.enqueue(new Uint8Array(bytes)),
    end: () => controller.close(),
    /** Whether all that was written was taken. */
    isTaken: () => controller.desiredSize === 1,
    cancelled: cancelled.promise,
  };
}

it("watchStream() passes on what is written, and tells once when all is read", async () => {
  const { response, write, end } = answer();
  const left = vi.fn();
  const passed = watchStream(response, { isStillAuthenticated: () => true, left });
  write(5);
  write(7);
  end();
  expect((await passed.arrayBuffer()).byteLength).toBe(12);
  expect(passed.headers.get("content-type")).toBe("text/event-stream");
  expect(left).toHaveBeenCalledTimes(1);
});

it("watchStream() tells when its reader goes away, and writes no more", async () => {
  const { response, cancelled } = answer();
  const left = vi.fn();
  await watchStream(response, { isStillAuthenticated: () => true, left }).body!.cancel();
  await cancelled;
  expect(left).toHaveBeenCalledTimes(1);
});

it("watchStream() ends for who does not read, once more is unread than the longest answer takes", async () => {
  const { response, write, cancelled } = answer();
  const left = vi.fn();
  const passed = watchStream(response, { isStillAuthenticated: () => true, left });
  for (let written = 0; written < 17; written++) write(MIB);
  await cancelled;
  expect(left).toHaveBeenCalledTimes(1);
  await expect(passed.arrayBuffer()).rejects.toThrow("cut off");
});

it("watchStream() ends for the one that comes on top when too much of all is unread, and for none that reads", async () => {
  const others = Array.from({ length: 16 }, answer);
  const all = others.map(({ response, write }) => {
    const one = watchStream(response, { isStillAuthenticated: () => true, left: () => undefined });
    for (let written = 0; written < 8; written++) write(MIB);
    onTestFinished(() => one.body!.cancel().catch(() => undefined));
    return one;
  });
  await expect.poll(() => others.every(({ isTaken }) => isTaken())).toBe(true);
  const last = answer();
  const cut = watchStream(last.response, { isStillAuthenticated: () => true, left: () => undefined });
  last.write(MIB);
  await last.cancelled;
  await expect(cut.arrayBuffer()).rejects.toThrow("cut off");
  const { done, value } = await all[0]!.body!.getReader().read();
  expect([done, value?.length]).toEqual([false, MIB]);
});

it("watchStream() ends once its reader would no longer be let in", async () => {
  const { response, cancelled } = answer();
  let isLetIn = true;
  const left = vi.fn();
  const passed = watchStream(response, { isStillAuthenticated: () => isLetIn, left, heartbeatMs: 5 });
  const read = passed.arrayBuffer();
  isLetIn = false;
  await read;
  await cancelled;
  expect(left).toHaveBeenCalledTimes(1);
});
