/** Jobs that a process left which ended go on in any server that runs. Serving never waits for it. */
import { setTimeout as after } from "node:timers/promises";
import type { AppContext } from "./app-context.ts";

export type TakingUpOptions = Readonly<{
  services: AppContext["services"];
  log: (message: string) => void;
  /** A server that lives for a moment only, as clients start one to probe, takes nothing up. */
  afterMs?: number;
  /** A process may end at any time; asking the store is one query. */
  everyMs?: number;
}>;

/** Returns what ends it; the jobs of this process are left to another one. */
export function takeUpJobs({ services, log, afterMs = 2_000, everyMs = 5_000 }: TakingUpOptions): () => Promise<void> {
  const ending = new AbortController();
  const { signal } = ending;
  let logged = "";
  const round = async () => {
    try {
      await services.jobs.takeUp();
      logged = "";
    } catch (error) {
      const message = `jobs: what was left could not be taken up yet: ${error instanceof Error ? error.message : String(error)}`;
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
