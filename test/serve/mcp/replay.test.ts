import type { JSONRPCMessage } from "@modelcontextprotocol/server";
import { expect, it } from "vitest";
import { replayOf } from "../../../src/serve/mcp/replay.ts";

const message = (id: number, length = 0): JSONRPCMessage => ({
  jsonrpc: "2.0",
  id,
  result: { more: "x".repeat(length) },
});

/** What a client gets that heard of `id` last. */
async function after(store: ReturnType<typeof replayOf>, id: string): Promise<number[]> {
  const replayed: number[] = [];
  await store.replayEventsAfter(id, { send: async (_id, sent) => void replayed.push((sent as { id: number }).id) });
  return replayed;
}

it("replayOf() gives of one stream what came after a place in it, and nothing that only opened it", async () => {
  const store = replayOf(10_000);
  const opening = await store.storeEvent("a", {} as JSONRPCMessage);
  const first = await store.storeEvent("a", message(1));
  await store.storeEvent("b", message(2));
  await store.storeEvent("a", message(3));
  expect(await after(store, opening)).toEqual([1, 3]);
  expect(await after(store, first)).toEqual([3]);
  expect(await store.getStreamIdForEventId!(first)).toBe("a");
});

it("replayOf() keeps the newest that fit, and knows no place before them", async () => {
  const store = replayOf(1_000);
  const places: string[] = [];
  for (let id = 0; id < 10; id++) places.push(await store.storeEvent("a", message(id, 150)));
  const known = await Promise.all(places.map((place) => store.getStreamIdForEventId!(place)));
  const kept = known.filter((stream) => stream !== undefined).length;
  expect(kept).toBeGreaterThan(2);
  expect(kept).toBeLessThan(7);
  expect(known.slice(0, 10 - kept)).toEqual(Array(10 - kept).fill(undefined));
  expect(await after(store, places.at(-2)!)).toEqual([9]);
  const tooLong = await store.storeEvent("a", message(10, 2_000));
  expect(await store.getStreamIdForEventId!(tooLong)).toBeUndefined();
  expect(await store.getStreamIdForEventId!(places.at(-1)!)).toBe("a");
});
