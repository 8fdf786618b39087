/** Waiting for other processes without stopping this one: SQLite's own busy handler blocks the whole event loop. */
import { setTimeout as delay } from "node:timers/promises";
import { faultOf } from "./faults.ts";

/** Pauses that grow from 10 to 200 ms. */
export function* pauses(): Generator<number, never> {
  for (let pauseMs = 10; ; pauseMs = Math.min(pauseMs * 2, 200)) yield pauseMs;
}

/** Repeats an attempt for as long as it fails because somebody else holds the database, at most for this long. */
export async function retryBusy<T>(waitMs: number, attempt: () => Promise<T>): Promise<T> {
  const end = performance.now() + waitMs;
  for (const pauseMs of pauses()) {
    try {
      return await attempt();
    } catch (error) {
      const leftMs = end - performance.now();
      if (faultOf(error) !== "busy" || leftMs <= 0) throw error;
      await delay(Math.min(pauseMs, leftMs));
    }
  }
  throw new Error("The pauses never end");
}
