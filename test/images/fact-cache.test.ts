import { describe, expect, test } from "vitest";
import { createFactCache } from "../../src/images/fact-cache.ts";

const at = (text: string, changedAtMs = 0) => ({ text, changedAtMs });

/** A cache whose looks are counted; each look gives its own number. */
function counted(options = {}) {
  let looks = 0;
  const cache = createFactCache<number>({ now: () => 10_000, ...options });
  const get = (key: string, version = at("v1"), signal?: AbortSignal) =>
    cache.get(key, version, async () => ++looks, signal);
  return { get, looks: () => looks };
}

describe("createFactCache()", () => {
  test("looks once for as long as the version is the same", async () => {
    const { get } = counted();
    expect([await get("a"), await get("a"), await get("a", at("v2")), await get("a", at("v2"))]).toEqual([1, 1, 2, 2]);
  });

  test("does not keep what is read of a file that has just changed", async () => {
    const { get } = counted();
    expect([
      await get("a", at("v1", 9_000)),
      await get("a", at("v1", 9_000)),
      await get("b", at("v1", 99_000)),
    ]).toEqual([1, 2, 3]);
  });

  test("lets the least recently asked go", async () => {
    const { get } = counted({ entriesMax: 2 });
    await get("a");
    await get("b");
    await get("a");
    await get("c");
    expect(await get("a")).toBe(1);
    expect(await get("b")).toBe(4);
  });

  test("looks once for all who ask at the same time, though nothing is kept", async () => {
    const { get, looks } = counted({ settleMs: 1e9 });
    expect(await Promise.all([get("a"), get("a"), get("a")])).toEqual([1, 1, 1]);
    expect(looks()).toBe(1);
  });

  test("keeps no failure, and gives it to all who waited", async () => {
    const cache = createFactCache<number>();
    const fail = () => cache.get("a", at("v"), async () => Promise.reject(new Error("broken")));
    const results = await Promise.allSettled([fail(), fail()]);
    expect(results.every((result) => result.status === "rejected")).toBe(true);
    expect(await cache.get("a", at("v"), async () => 7)).toBe(7);
  });

  test("ends a look when all who asked have gone, and not before", async () => {
    const cache = createFactCache<string>();
    let ended = false;
    let find = () => {};
    const look = (signal: AbortSignal) =>
      new Promise<string>((resolve, reject) => {
        find = () => resolve("found");
        signal.addEventListener("abort", () => {
          ended = true;
          reject(signal.reason);
        });
      });
    const one = new AbortController();
    const first = cache.get("a", at("v"), look, one.signal);
    const second = cache.get("a", at("v"), look);
    one.abort(new Error("gone"));
    await expect(first).rejects.toThrow("gone");
    expect(ended).toBe(false);
    find();
    expect(await second).toBe("found");

    const two = new AbortController();
    const third = cache.get("b", at("v"), look, two.signal);
    ended = false;
    two.abort(new Error("gone too"));
    await expect(third).rejects.toThrow("gone too");
    expect(ended).toBe(true);
    expect(await cache.get("b", at("v"), async () => "anew")).toBe("anew");
  });
});
