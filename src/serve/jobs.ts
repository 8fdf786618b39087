/** Takes up the jobs of processes that have ended, in the background. No call waits for it. */
import { setTimeout as after } from "node:timers/promises";
import type { AppContext } from "./app-context.ts";

export type TakingUpOptions = Readonly<{
  services: AppContext["services"];
  log: (message: string) => void;
  /** The delay before it begins. Clients probe with short-lived servers, which then take nothing up. */
  afterMs?: number;
  /** The interval. A process may end at any time, and a round is one query. */
  everyMs?: number;
}>;

/** Returns the function that stops it and leaves this process's jobs to another one. */
export function takeUpJobs({ services, log, afterMs = 2_000, everyMs = 5_000 }: TakingUpOptions): () => Promise<void> {
  const ending = new AbortController();
  const { signal } = ending;
  let logged = "";
  const round = async () => {
    try {
      await services.jobs.takeUp();
      logged = "";
    } catch (error) {
      const message = `jobs: jobs of ended processes cannot be taken up yet: ${error instanceof Error ? error.message : String(error)}`;
      if (!signal.aborted && message !== logged) log(message);
      logged = message;
    }
  };
  const running = (async () => {
    for (let pause = afterMs; ; pause = everyMs) {
      await after(pause, undefined, { signal, ref: false });
      await round();
    }
  })().catch((error: unknown) => {
    if (!signal.aborted) throw error;
  });
  return async () => {
    ending.abort();
    await running;
    await services.jobs.close();
  };
}
