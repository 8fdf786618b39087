/** Waits for other processes without stopping this one: SQLite's own busy handler blocks the whole event loop. */
import { setTimeout as delay } from "node:timers/promises";
import { pauses } from "../backoff.ts";
import { faultOf } from "./sqlite-errors.ts";

/** Repeats the work while it fails because another process holds the database, at most for `waitMs` milliseconds. */
export async function retryBusy<T>(waitMs: number, work: () => Promise<T>): Promise<T> {
  const end = performance.now() + waitMs;
  for (const pauseMs of pauses()) {
    try {
      return await work();
    } catch (error) {
      const leftMs = end - performance.now();
      if (faultOf(error) !== "busy" || leftMs <= 0) throw error;
      await delay(Math.min(pauseMs, leftMs));
    }
  }
  throw new Error("The pauses never end");
}
