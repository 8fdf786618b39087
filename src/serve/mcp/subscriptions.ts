/** The subscriptions of one client, and the notifications from the journal. */
import { setTimeout as after } from "node:timers/promises";
import { follow } from "../../domain/events/follow.ts";
import type { AppContext } from "../app-context.ts";
import { UPDATES_PER_SECOND_MAX, URIS_MAX } from "../limits.ts";
import { touchedBy as resourcesChangedBy } from "./resources.ts";

/** Sends one notification to the client. */
export type Notify = Readonly<{ updated: (uri: string) => Promise<void>; listChanged: () => Promise<void> }>;

export type Subscriptions = Readonly<{
  /** Notifies of all events from now on. Opens the database.
   * @throws DomainError if the store cannot be opened or read */
  begin(): Promise<void>;
  /** Sets the resources under a key. False if that exceeds the limit. */
  add(key: string, uris: readonly string[]): boolean;
  remove(key: string): void;
  close(): void;
}>;

export function subscriptionsFor(
  appContext: Pick<AppContext, "services" | "defect">,
  notify: Notify,
  urisMax = URIS_MAX,
): Subscriptions {
  const wanted = new Map<string, readonly string[]>();
  const ending = new AbortController();
  const { signal } = ending;
  const update = coalesced(notify.updated);
  const changeList = coalesced(notify.listChanged);
  let begun: Promise<void> | undefined;

  const start = async () => {
    const store = await appContext.services.store();
    const place = await store.lastEvent();
    const notifySubscribers = (event: Parameters<typeof resourcesChangedBy>[0]) => {
      const { uris, list } = resourcesChangedBy(event);
      const subscribed = [...wanted.values()];
      for (const uri of uris) if (subscribed.some((some) => some.includes(uri))) update(uri);
      if (list) changeList("");
    };
    void follow({ journal: store, after: place, onEvent: notifySubscribers, signal }).catch(appContext.defect);
  };

  return {
    begin() {
      if (begun) return begun;
      begun = start();
      // The next call tries again to open the store.
      begun.catch(() => {
        begun = undefined;
      });
      return begun;
    },
    add(key, uris) {
      const others = [...wanted].filter(([other]) => other !== key);
      const count = others.reduce((sum, [, some]) => sum + some.length, uris.length);
      if (count > urisMax) return false;
      wanted.set(key, uris);
      return true;
    },
    remove: (key) => void wanted.delete(key),
    close: () => ending.abort(),
  };
}

/** Sends the first notification of a subject at once. Later ones within the gap are merged into one at its end, so that the
 * last is never lost. A client that does not read gets no further ones. */
export function coalesced(send: (subject: string) => Promise<void>, gapMs = 1_000 / UPDATES_PER_SECOND_MAX) {
  const again = new Map<string, boolean>();
  const run = async (subject: string) => {
    do {
      again.set(subject, false);
      await Promise.all([send(subject).catch(() => undefined), after(gapMs, undefined, { ref: false })]);
    } while (again.get(subject));
    again.delete(subject);
  };
  return (subject: string): void => {
    if (again.has(subject)) again.set(subject, true);
    else void run(subject);
  };
}
