/** Watches one connection. Hints only mark VMs to observe; the events report the difference between the observed and
 * the last reported state. So a lost connection or a dead process misses nothing that is still visible, and reports
 * nothing twice. While an operation holds a VM its hints wait, since the operation reports its own effects. */

import { reportedStateOf } from "../model/reported-state.ts";
import { diffVm, eventsOf, isEmptyDelta } from "../model/vm-diff.ts";
import type { Backend } from "../ports/backend.ts";
import type { EventStore, LeaseStore, ReportedStateStore, ReportOutcome } from "../ports/event-store.ts";
import type { RecordStore } from "../ports/store.ts";
import { createChangeSignal } from "./change-signal.ts";
import { type DirtyVm, DirtyVms } from "./dirty-vms.ts";

export type WatchOptions = Readonly<{
  connection: string;
  backend: () => Promise<Backend>;
  store: RecordStore & ReportedStateStore & LeaseStore & EventStore;
  newId: () => string;
  now: () => Date;
  log: (message: string) => void;
  /** How often all VMs are listed without a hint, in milliseconds: edits of a definition may cause no event. */
  everyMs?: number;
  /** The first pause before a lost connection is tried again, in milliseconds; it doubles each time. */
  retryMs?: number;
}>;

const EVERY_MS = 30_000;
const RETRY_MS = 500;
const RETRY_MS_MAX = 10_000;
/** How often a process without the lease tries to take it. */
const TAKE_OVER_MS = 2_000;
/** How long to wait for a VM that an operation holds. A settlement rings earlier; this covers a process that dies. */
const HELD_MS = 1_000;
/** How many VMs are observed at once. */
const SIDE_BY_SIDE = 4;
/** How long a VM that does not answer delays the others. */
const PATIENCE_MS = 1_000;

/** Watches until the signal ends. One process at a time watches one connection. */
export async function watchConnection(options: WatchOptions, signal: AbortSignal): Promise<void> {
  const { connection, store } = options;
  const changeSignal = createChangeSignal(store, signal);
  const dirtyVms = new DirtyVms(changeSignal.notify, options.everyMs ?? EVERY_MS);
  const faults = createFaultLog(options.log);
  const slow = new Map<string, Promise<void>>();
  let listening: Promise<void> | undefined;
  try {
    while (!signal.aborted) {
      try {
        if (!(await store.lease(`watch:${connection}`))) {
          await changeSignal.sleep(TAKE_OVER_MS);
          continue;
        }
        listening ??= listen(options, dirtyVms, changeSignal, faults, signal);
        changeSignal.clear();
        const waitMs = await observeDirty({ options, dirtyVms, faults, slow, notify: changeSignal.notify }, signal);
        await changeSignal.wait(Math.min(waitMs, dirtyVms.untilFull()));
      } catch (error) {
        // A failed observation is repeated; the dirtyVms are kept.
        if (!signal.aborted) faults.report(error);
        await changeSignal.sleep(options.retryMs ?? RETRY_MS);
      }
    }
  } finally {
    changeSignal.end();
    await Promise.all([listening, ...slow.values()]);
  }
}

/** Keeps a watch of the backend open. Each time it ends, all VMs are marked, since events may have been missed. */
async function listen(
  { backend, retryMs = RETRY_MS }: WatchOptions,
  dirtyVms: DirtyVms,
  changeSignal: ReturnType<typeof createChangeSignal>,
  faults: ReturnType<typeof createFaultLog>,
  signal: AbortSignal,
): Promise<void> {
  for (let pauseMs = retryMs; !signal.aborted; pauseMs = Math.min(pauseMs * 2, RETRY_MS_MAX)) {
    try {
      const opened = await backend();
      if (!opened.events) return;
      await opened.events.watch((hint) => {
        pauseMs = retryMs;
        dirtyVms.add(hint);
      }, signal);
    } catch (error) {
      if (!signal.aborted) faults.report(error);
    }
    dirtyVms.add({});
    await changeSignal.sleep(pauseMs);
  }
}

type Looking = Readonly<{
  options: WatchOptions;
  dirtyVms: DirtyVms;
  faults: ReturnType<typeof createFaultLog>;
  /** Observations of VMs that have not answered yet, which delay no other VM. */
  slow: Map<string, Promise<void>>;
  notify: () => void;
}>;

/** Observes the marked VMs; no VM delays the others. Returns the milliseconds until VMs that were held or failed are
 * tried again without a notify. */
async function observeDirty(
  { options, dirtyVms, faults, slow, notify }: Looking,
  signal: AbortSignal,
): Promise<number> {
  if (dirtyVms.untilFull() <= 0) {
    dirtyVms.takeFull();
    await markChanged(options, dirtyVms, signal).catch((error: unknown) => {
      dirtyVms.putBackFull();
      throw error;
    });
  }
  const due = [...dirtyVms.take()];
  const waiting = due.filter(([uuid]) => slow.has(uuid));
  let failed = false;
  const fail = (error: unknown) => {
    failed = true;
    if (!signal.aborted) faults.report(error);
  };
  const next = due.filter(([uuid]) => !slow.has(uuid)).values();
  const lookOn = async () => {
    for (const [uuid, mark] of next) {
      const looking = lookAtOne(options, uuid, mark, signal).catch(fail);
      const outcome = await soon(looking);
      if (outcome === "slow") {
        const after = looking.then((late) => {
          if (late !== "reported") dirtyVms.putBack([[uuid, mark]]);
          slow.delete(uuid);
          notify();
        });
        slow.set(uuid, after);
      } else if (outcome !== "reported") waiting.push([uuid, mark]);
    }
  };
  await Promise.all(Array.from({ length: SIDE_BY_SIDE }, lookOn));
  dirtyVms.putBack(waiting);
  if (!failed && slow.size === 0) faults.forget();
  if (failed) return options.retryMs ?? RETRY_MS;
  return waiting.length > 0 ? HELD_MS : Number.POSITIVE_INFINITY;
}

async function soon<T>(looking: Promise<T>): Promise<T | "slow"> {
  const { promise, resolve } = Promise.withResolvers<"slow">();
  const timer = setTimeout(() => resolve("slow"), PATIENCE_MS);
  try {
    return await Promise.race([looking, promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** Lists all VMs and dirtyVms those that differ from their reported state. The first list of a connection dirtyVms none. */
async function markChanged(
  { connection, backend, store }: WatchOptions,
  dirtyVms: DirtyVms,
  signal: AbortSignal,
): Promise<void> {
  const isFirst = !(await store.isWatched(connection));
  const known = new Map((await store.reportedStates(connection)).map((seen) => [seen.reportedState.uuid, seen]));
  const vms = await (await backend()).list(signal);
  if (isFirst) {
    const unknown = vms.filter(({ uuid }) => !known.has(uuid));
    await store.initReportedStates(
      connection,
      unknown.map((vm) => reportedStateOf(connection, vm)),
    );
  }
  for (const vm of vms) {
    const before = known.get(vm.uuid)?.reportedState;
    if (isFirst && !before) continue;
    const now = reportedStateOf(connection, vm, before);
    if (JSON.stringify(now) !== JSON.stringify(before)) dirtyVms.found(vm.uuid);
    known.delete(vm.uuid);
  }
  for (const gone of known.keys()) dirtyVms.found(gone);
}

const STALE_MAX = 5;
/** The age in milliseconds up to which the counters still hold the bytes read by the time of a reset: the firmware
 * needs about this long before it boots anything. */
const FRESH_MS = 1_000;

async function lookAtOne(
  { connection, backend, store, newId, now }: WatchOptions,
  uuid: string,
  { occurrences, found }: DirtyVm,
  signal: AbortSignal,
): Promise<ReportOutcome> {
  const target = { connection, uuid };
  for (let tries = 0; tries < STALE_MAX; tries++) {
    const seen = await store.reportedState(target);
    const [vm, record] = await Promise.all([(await backend()).observe(uuid, signal), store.record(target)]);
    const isLate = occurrences.some(
      ({ reportedMs }) => reportedMs !== undefined && performance.now() - reportedMs > FRESH_MS,
    );
    const news = diffVm(connection, seen?.reportedState, vm, occurrences, { isLate, isFound: found });
    if (isEmptyDelta(news, seen?.reportedState)) return "reported";
    const name = vm?.name ?? seen?.reportedState.name ?? uuid;
    const events = eventsOf({ newId, now }, target, news.facts, { name, managed: record !== undefined });
    const outcome = await store.report(target, seen?.revision, news.reportedState, events);
    if (outcome !== "stale") return outcome;
  }
  return "stale";
}

/** Logs repeated faults once, and again after `forget()`. */
function createFaultLog(log: (message: string) => void) {
  let last = "";
  return {
    report(error: unknown): void {
      const message = error instanceof Error ? error.message : String(error);
      if (message !== last) log(`events: ${message}`);
      last = message;
    },
    forget: () => {
      last = "";
    },
  };
}
