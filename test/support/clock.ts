/** A clock by `performance.now()` that a test sets ahead, so that nobody waits. */
import { onTestFinished, vi } from "vitest";

let aheadMs = 0;

/** Sets this process's clock ahead until the test has finished; timers still go by the real one. */
export function skipAhead(ms: number): void {
  aheadMs += ms;
  if (vi.isMockFunction(performance.now)) return;
  const now = performance.now.bind(performance);
  const spy = vi.spyOn(performance, "now").mockImplementation(() => now() + aheadMs);
  onTestFinished(() => {
    spy.mockRestore();
    aheadMs = 0;
  });
}
