import { expect, test } from "vitest";
import { createConcurrencyLimit } from "../../src/images/concurrency-limit.ts";

test("createLimit() runs no more than so many at a time, in order, failures included", async () => {
  const limit = createConcurrencyLimit(2);
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  let running = 0;
  let most = 0;
  const started: number[] = [];
  const work = (id: number) => async () => {
    started.push(id);
    most = Math.max(most, ++running);
    // Whoever could start by now has started.
    await turn();
    running -= 1;
    if (id === 1) throw new Error("failed");
    return id;
  };
  const results = await Promise.allSettled([0, 1, 2, 3, 4].map((id) => limit(work(id))));
  expect(results.map((result) => result.status)).toEqual([
    "fulfilled",
    "rejected",
    "fulfilled",
    "fulfilled",
    "fulfilled",
  ]);
  expect(most).toBe(2);
  expect(started).toEqual([0, 1, 2, 3, 4]);
});

test("createLimit() does not start work that was aborted while it waited", async () => {
  const limit = createConcurrencyLimit(1);
  const controller = new AbortController();
  const { promise: working, resolve: done } = Promise.withResolvers<void>();
  const first = limit(() => working);
  const second = limit(async () => "ran", controller.signal);
  controller.abort(new Error("enough"));
  done();
  await first;
  await expect(second).rejects.toThrow("enough");
  await expect(limit(async () => "ran")).resolves.toBe("ran");
});
