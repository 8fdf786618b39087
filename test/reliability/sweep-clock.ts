/** Time that passes only when it is told to, for the limits that an operation sets itself: a call that never returns
 * would else take minutes to be given up. The database and the test go by the real clock. */
import { vi } from "vitest";

export type Clock = Readonly<{ pass: (ms: number) => void; stop: () => void }>;

/** Time that goes on to the next limit or pause whenever there is nothing else to do. */
export function hurryClock(): Clock {
  const clock = startClock();
  vi.setTimerTickMode("nextTimerAsync");
  return clock;
}

export function startClock(): Clock {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  const timeout = vi.spyOn(AbortSignal, "timeout").mockImplementation((ms) => {
    const limit = new AbortController();
    setTimeout(() => limit.abort(new DOMException("The operation was aborted due to timeout", "TimeoutError")), ms);
    return limit.signal;
  });
  return {
    pass: (ms) => void vi.advanceTimersByTime(ms),
    stop() {
      timeout.mockRestore();
      vi.useRealTimers();
    },
  };
}
