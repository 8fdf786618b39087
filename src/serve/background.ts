/** Watches the connections and delivers events to subscribers, in the background. No call waits for it. */
import { setTimeout as after } from "node:timers/promises";
import type { Subscriber } from "../domain/events/subscriber.ts";
import type { AppContext } from "./app-context.ts";

export type BackgroundOptions = Readonly<{
  services: AppContext["services"];
  subscribers: readonly Subscriber[];
  log: (message: string) => void;
  /** The delay before it begins. Clients probe with short-lived servers, which then open no database and no connection. */
  afterMs?: number;
  /** The delay before another attempt to open the database. */
  retryMs?: number;
}>;

/** Returns the function that stops it. */
export function runInBackground({
  services: { connections, store: openStore, newId, now },
  subscribers,
  log,
  afterMs = 2_000,
  retryMs = 5_000,
}: BackgroundOptions): () => Promise<void> {
  const ending = new AbortController();
  const { signal } = ending;

  const openedStore = async () => {
    for (let logged = ""; ; ) {
      try {
        return await openStore();
      } catch (error) {
        const message = `events: ${error instanceof Error ? error.message : String(error)}`;
        if (message !== logged) log(message);
        logged = message;
        await after(retryMs, undefined, { signal, ref: false });
      }
    }
  };

  const running = (async () => {
    await after(afterMs, undefined, { signal, ref: false });
    const [{ watchConnection }, { deliver }] = await Promise.all([
      import("../domain/events/watch.ts"),
      import("../domain/events/deliver.ts"),
    ]);
    const store = await openedStore();
    await Promise.all([
      ...connections.names.map((connection) => {
        const logConnection = (message: string) => log(`${connection}: ${message}`);
        const backend = () => connections.backend(connection);
        return watchConnection({ connection, backend, store, newId, now, log: logConnection }, signal);
      }),
      ...subscribers.map((subscriber) => deliver(subscriber, { journal: store, now, log }, signal)),
    ]);
  })().catch((error: unknown) => {
    if (!signal.aborted) throw error;
  });
  return () => {
    ending.abort();
    return running;
  };
}
