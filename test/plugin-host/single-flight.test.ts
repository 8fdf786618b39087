import { setTimeout as wait } from "node:timers/promises";
import { afterEach, describe, expect, it, vi } from "vitest";
import { singleFlight } from "../../src/plugin-host/single-flight.ts";

afterEach(() => void vi.useRealTimers());

/** A look that ends when it is told to; `looks` has one entry for each that has begun. */
function slowLook() {
  const looks: (PromiseWithResolvers<number> & { signal: AbortSignal })[] = [];
  const look = singleFlight((signal) => {
    const answer = { ...Promise.withResolvers<number>(), signal };
    signal.addEventListener("abort", () => answer.reject(signal.reason));
    looks.push(answer);
    return answer.promise;
  });
  return { look, looks };
}

describe("a shared look", () => {
  it("is one for all who ask at the same moment", async () => {
    const { look, looks } = slowLook();
    const asked = [look(), look(), look()];
    await wait(0);
    expect(looks).toHaveLength(1);
    looks[0]!.resolve(1);
    expect(await Promise.all(asked)).toEqual([1, 1, 1]);
  });

  it("that is under way answers nobody who came later: they share the next one", async () => {
    const { look, looks } = slowLook();
    const first = look();
    await wait(0);
    const later = [look(), look()];
    await wait(0);
    expect(looks).toHaveLength(1);
    looks[0]!.resolve(1);
    expect(await first).toBe(1);
    await wait(0);
    expect(looks).toHaveLength(2);
    looks[1]!.resolve(2);
    expect(await Promise.all(later)).toEqual([2, 2]);
  });

  it("that fails fails for all who wait for it, and the next one is a new one", async () => {
    const { look, looks } = slowLook();
    const asked = [look(), look()];
    await wait(0);
    looks[0]!.reject(new Error("the daemon is gone"));
    for (const each of asked) await expect(each).rejects.toThrow("the daemon is gone");
    const again = look();
    await wait(0);
    looks[1]!.resolve(2);
    expect(await again).toBe(2);
  });

  it("goes on for the others when one gives up, and is aborted when all have", async () => {
    const { look, looks } = slowLook();
    const [one, other] = [new AbortController(), new AbortController()];
    const asked = [look(one.signal), look(other.signal)];
    await wait(0);
    one.abort(new Error("enough"));
    await expect(asked[0]).rejects.toThrow("enough");
    expect(looks[0]!.signal.aborted).toBe(false);
    other.abort(new Error("enough of it"));
    await expect(asked[1]).rejects.toThrow("enough of it");
    expect(looks[0]!.signal.aborted).toBe(true);
  });

  it("that everybody gave up before it began does not begin, and is nobody's answer", async () => {
    const { look, looks } = slowLook();
    const first = look();
    await wait(0);
    const leaving = new AbortController();
    const left = look(leaving.signal);
    leaving.abort(new Error("enough"));
    await expect(left).rejects.toThrow("enough");
    const stays = look();
    looks[0]!.resolve(1);
    await first;
    await wait(0);
    expect(looks).toHaveLength(2);
    looks[1]!.resolve(2);
    expect(await stays).toBe(2);
  });

  it("is not asked for by who has given up already", async () => {
    const { look, looks } = slowLook();
    await expect(look(AbortSignal.abort(new Error("enough")))).rejects.toThrow("enough");
    await wait(0);
    expect(looks).toHaveLength(0);
  });

  it("that takes long keeps the next one for no more than a second", async () => {
    vi.useFakeTimers();
    const { look, looks } = slowLook();
    void look();
    await vi.advanceTimersByTimeAsync(0);
    const later = look();
    await vi.advanceTimersByTimeAsync(999);
    expect(looks).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(looks).toHaveLength(2);
    looks[1]!.resolve(2);
    expect(await later).toBe(2);
  });
});
