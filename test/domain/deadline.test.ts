import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { DeadlineExceeded, startDeadline, TimeIsUp, withDeadline, within } from "../../src/domain/deadline.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const never = () => new Promise<never>(() => undefined);
const heeding = (signal: AbortSignal) =>
  new Promise<never>((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
const failure = (work: Promise<unknown>) => work.catch((error: unknown) => error);

describe("startDeadline()", () => {
  test("startDeadline() aborts its signal when the time is up, and says how much it was", async () => {
    const { signal } = startDeadline(5_000);
    await vi.advanceTimersByTimeAsync(4_999);
    expect(signal.aborted).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(signal.reason).toBeInstanceOf(TimeIsUp);
    expect(signal.reason).toMatchObject({ name: "TimeoutError", message: "no answer within 5 s" });
  });

  test("startDeadline() narrows the deadline that it is made in", async () => {
    const outer = startDeadline(30_000);
    const inner = startDeadline(5_000, outer.signal);
    await vi.advanceTimersByTimeAsync(5_000);
    expect([inner.signal.aborted, outer.signal.aborted]).toEqual([true, false]);
  });

  test("startDeadline() cannot widen the deadline that it is made in", async () => {
    const outer = startDeadline(5_000);
    const inner = startDeadline(30_000, outer.signal);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(inner.signal.reason).toBe(outer.signal.reason);
    expect(startDeadline(30_000, outer.signal).signal.reason).toBe(outer.signal.reason);
  });

  test("startDeadline() passes on why the caller gave up", () => {
    const caller = new AbortController();
    const { signal } = startDeadline(5_000, caller.signal);
    const reason = new Error("nobody waits");
    caller.abort(reason);
    expect(signal.reason).toBe(reason);
  });

  test("startDeadline() leaves nothing behind once it has ended", async () => {
    const caller = new AbortController();
    const { signal, end } = startDeadline(5_000, caller.signal);
    end();
    expect(vi.getTimerCount()).toBe(0);
    caller.abort();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(signal.aborted).toBe(false);
  });
});

test("within() ends its deadline with the work, whatever came of it", async () => {
  const { signal } = new AbortController();
  expect(await within(5_000, signal, async () => "done")).toBe("done");
  await expect(within(5_000, signal, () => Promise.reject(new Error("no")))).rejects.toThrow("no");
  expect(vi.getTimerCount()).toBe(0);
});

describe("withDeadline()", () => {
  test("withDeadline() gives back what the work comes to", async () => {
    expect(await withDeadline(5_000, async () => "done")).toBe("done");
    expect(vi.getTimerCount()).toBe(0);
  });

  test("withDeadline() lets work that heeds its signal say how it ended", async () => {
    const ended = failure(withDeadline(5_000, heeding));
    await vi.advanceTimersByTimeAsync(5_000);
    expect(await ended).toBeInstanceOf(TimeIsUp);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("withDeadline() waits a second and no longer for work that heeds none", async () => {
    let isOver = false;
    const ended = failure(withDeadline(5_000, never)).finally(() => {
      isOver = true;
    });
    await vi.advanceTimersByTimeAsync(5_999);
    expect(isOver).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    const error = await ended;
    expect(error).toBeInstanceOf(DeadlineExceeded);
    expect(error).toMatchObject({ message: "no answer within 5 s" });
  });

  test("withDeadline() says of a caller who gave up that nobody waits, and of the caller's own deadline what that was", async () => {
    const given = failure(withDeadline(5_000, never, AbortSignal.abort()));
    const outer = startDeadline(2_000);
    const narrowed = failure(withDeadline(5_000, never, outer.signal));
    await vi.advanceTimersByTimeAsync(3_000);
    expect(await given).toMatchObject({ message: "no answer before the caller gave up" });
    expect(await narrowed).toMatchObject({ message: "no answer within 2 s" });
  });
});
