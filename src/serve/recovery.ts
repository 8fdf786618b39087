/** Settles open operations in the background: those of dead processes, and those of this one with an unknown outcome. No
 * call waits for it. */
import { setTimeout as after } from "node:timers/promises";
import { settledInWords } from "../domain/changes/operation.ts";
import type { AppContext } from "./app-context.ts";

export type RecoveryOptions = Readonly<{
  services: AppContext["services"];
  log: (message: string) => void;
  /** The delay before it begins. Clients probe with short-lived servers, which then settle nothing. */
  afterMs?: number;
  /** The interval. A process may die or a hypervisor return at any time, and a round is one query. */
  everyMs?: number;
}>;

/** Returns the function that stops it. */
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
      // An unreachable hypervisor must not block the others.
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
  `${where}: open operations cannot be settled yet: ${error instanceof Error ? error.message : String(error)}`;
