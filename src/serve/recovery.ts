/** What was left open is settled in the background for as long as a server runs: by processes that died, and by this one
 * where nobody could tell how an operation ended. Serving never waits for it. */
import { setTimeout as after } from "node:timers/promises";
import { settledInWords } from "../domain/changes/operation.ts";
import type { AppContext } from "./app-context.ts";

export type RecoveryOptions = Readonly<{
  services: AppContext["services"];
  log: (message: string) => void;
  /** A server that lives for a moment only, as clients start one to probe, has no business with what others left. */
  afterMs?: number;
  /** A process may die, and a hypervisor come back, at any time; asking the store is one query. */
  everyMs?: number;
}>;

/** Returns what ends it. */
export function recoverInBackground({
  services,
  log,
  afterMs = 2_000,
  everyMs = 5_000,
}: RecoveryOptions): () => Promise<void> {
  const ending = new AbortController();
  const { signal } = ending;
  const logged = new Set<string>();
  const logOnce = (message: string) => {
    if (signal.aborted || logged.has(message)) return;
    logged.add(message);
    log(message);
  };

  const recoverOn = async (name: string) => {
    const { recoverAll } = await import("../domain/engine/recover.ts");
    const { connections, store, ...rest } = services;
    const backend = await connections.backend(name);
    await recoverAll({ ...rest, backend, store: await store() }, signal, ({ operation, status }) =>
      logOnce(settledInWords(operation, status)),
    );
  };
  const round = async () => {
    const { connections, store } = services;
    const open = await (await store()).open();
    for (const name of new Set(open.map(({ target }) => target.connection))) {
      // A hypervisor that cannot be reached must not keep the others from being looked at.
      if (connections.names.includes(name))
        await recoverOn(name).catch((error: unknown) => logOnce(notSettled(name, error)));
    }
  };
  const running = (async () => {
    for (let pause = afterMs; ; pause = everyMs) {
      await after(pause, undefined, { signal, ref: false });
      await round().catch((error: unknown) => logOnce(notSettled("database", error)));
    }
  })().catch((error: unknown) => {
    if (!signal.aborted) throw error;
  });
  return () => {
    ending.abort();
    return running;
  };
}

const notSettled = (where: string, error: unknown) =>
  `${where}: what was left open could not be settled yet: ${error instanceof Error ? error.message : String(error)}`;
