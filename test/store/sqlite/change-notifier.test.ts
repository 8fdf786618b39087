// @module-tag process
import { expect, test, vi } from "vitest";
import { event, Other, open, run, temporaryDirectory } from "../fixture.ts";

test("onChange() calls back after a write of this process, once for many of one moment, until it is ended", async () => {
  const store = await open(temporaryDirectory());
  const called = vi.fn();
  const end = store.onChange(called);
  await run(store, { id: "a" }, { events: [event("a")] });
  await expect.poll(() => called).toHaveBeenCalled();
  end();
  const calls = called.mock.calls.length;
  const witness = vi.fn();
  store.onChange(witness);
  await run(store, { id: "b" });
  await expect.poll(() => witness).toHaveBeenCalled();
  expect(called.mock.calls.length).toBe(calls);
});

test("onChange() calls back after a write of another process, with what it wrote there to be read", async () => {
  const directory = temporaryDirectory();
  const store = await open(directory);
  const seen: number[] = [];
  store.onChange(() => void store.lastEvent().then((last) => seen.push(last)));
  const other = new Other("node", ["settle", directory]);
  expect(await other.line()).toBe("settling");
  await expect.poll(() => seen.at(-1)).toBeGreaterThan(2);
  await other.kill();
});
