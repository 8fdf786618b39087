/** Watching one connection. Hints only say where to look: what is told is the difference between what is seen and what was
 * last told, so a lost connection or a dead process misses nothing that is still to be seen, and tells nothing twice.
 * While an operation holds a VM its hints wait; what the operation caused it tells itself. */
import { bellOf } from "./bell.ts";
import type { DomainEvent } from "./event.ts";
import type { Told } from "./journal.ts";
import { type Mark, Marks } from "./marks.ts";
import { isNothing, newsOf } from "./news.ts";
import type { Backend, Store } from "./port.ts";
import { sightingOf } from "./sighting.ts";

export type WatchOptions = Readonly<{
  connection: string;
  backend: () => Promise<Backend>;
  store: Store;
  newId: () => string;
  now: () => Date;
  log: (message: string) => void;
  /** How often everything is looked at although nothing tells: edits of a definition may make no event. */
  everyMs?: number;
  /** The pause before a lost connection is tried again; it grows. */
  retryMs?: number;
}>;

const EVERY_MS = 30_000;
const RETRY_MS = 500;
const RETRY_MS_MAX = 10_000;
/** How often a process that does not watch looks whether the one that does is still there. */
const TAKE_OVER_MS = 2_000;
/** An operation that holds a VM rings when it settles; this is for one that dies. */
const HELD_MS = 1_000;

/** Watches until the signal ends; one process at a time does it for one connection. */
export async function watch(options: WatchOptions, signal: AbortSignal): Promise<void> {
  const { connection, store } = options;
  const bell = bellOf(store, signal);
  const marks = new Marks(bell.ring, options.everyMs ?? EVERY_MS);
  const told = onceEach(options.log);
  let listening: Promise<void> | undefined;
  try {
    while (!signal.aborted) {
      try {
        if (!(await store.lease(`watch:${connection}`))) {
          await bell.pause(TAKE_OVER_MS);
          continue;
        }
        listening ??= listen(options, marks, bell, told, signal);
        bell.clear();
        const held = await lookAtMarked(options, marks, signal);
        told.forget();
        await bell.wait(Math.min(held ? HELD_MS : Number.POSITIVE_INFINITY, marks.untilFull()));
      } catch (error) {
        // What cannot be looked at now is looked at again; the marks are kept.
        if (!signal.aborted) told.tell(error);
        await bell.pause(options.retryMs ?? RETRY_MS);
      }
    }
  } finally {
    bell.end();
    await listening;
  }
}

/** Keeps the backend telling. After each end of it everything is looked at, since nobody told what happened meanwhile. */
async function listen(
  { backend, retryMs = RETRY_MS }: WatchOptions,
  marks: Marks,
  bell: ReturnType<typeof bellOf>,
  told: ReturnType<typeof onceEach>,
  signal: AbortSignal,
): Promise<void> {
  for (let pauseMs = retryMs; !signal.aborted; pauseMs = Math.min(pauseMs * 2, RETRY_MS_MAX)) {
    try {
      const opened = await backend();
      if (!opened.watch) return;
      await opened.watch((hint) => {
        pauseMs = retryMs;
        marks.add(hint);
      }, signal);
    } catch (error) {
      if (!signal.aborted) told.tell(error);
    }
    marks.add({});
    await bell.pause(pauseMs);
  }
}

/** Returns whether something waits for an operation to settle. */
async function lookAtMarked(options: WatchOptions, marks: Marks, signal: AbortSignal): Promise<boolean> {
  if (marks.untilFull() <= 0) {
    marks.takeFull();
    await markDifferent(options, marks, signal).catch((error: unknown) => {
      marks.putBackFull();
      throw error;
    });
  }
  const left = marks.take();
  const held: [string, Mark][] = [];
  try {
    for (const [uuid, mark] of left) {
      const outcome = await lookAtOne(options, uuid, mark, signal);
      if (outcome !== "told") held.push([uuid, mark]);
      left.delete(uuid);
    }
  } finally {
    marks.putBack([...left, ...held]);
  }
  return held.length > 0;
}

/** Looks at all VMs and marks those that are not as was last told. The first look at a connection finds no news. */
async function markDifferent(
  { connection, backend, store }: WatchOptions,
  marks: Marks,
  signal: AbortSignal,
): Promise<void> {
  const known = new Map((await store.sightings(connection)).map((seen) => [seen.sighting.uuid, seen]));
  const isFirst = known.size === 0;
  const vms = await (await backend()).list(signal);
  if (isFirst) return store.beginSightings(vms.map((vm) => sightingOf(connection, vm)));
  for (const vm of vms) {
    const before = known.get(vm.uuid)?.sighting;
    const now = sightingOf(connection, vm, before);
    if (JSON.stringify(now) !== JSON.stringify(before)) marks.found(vm.uuid);
    known.delete(vm.uuid);
  }
  for (const gone of known.keys()) marks.found(gone);
}

const STALE_MAX = 5;
/** What was read by a reset is what is read right after it: the firmware takes about as long before it boots anything. */
const FRESH_MS = 1_000;

async function lookAtOne(
  { connection, backend, store, newId, now }: WatchOptions,
  uuid: string,
  { occurrences, found }: Mark,
  signal: AbortSignal,
): Promise<Told> {
  const target = { connection, uuid };
  for (let tries = 0; tries < STALE_MAX; tries++) {
    const seen = await store.sighting(target);
    const [vm, record] = await Promise.all([(await backend()).observe(uuid, signal), store.record(target)]);
    const isLate = occurrences.some(({ toldMs }) => toldMs !== undefined && performance.now() - toldMs > FRESH_MS);
    const news = newsOf(connection, seen?.sighting, vm, occurrences, { isLate, isFound: found });
    if (isNothing(news, seen?.sighting)) return "told";
    const name = vm?.name ?? seen?.sighting.name ?? uuid;
    const events = news.facts.map(
      ({ type, data }): DomainEvent => ({
        specversion: "1.0",
        id: newId(),
        source: `bootwright/${connection}`,
        type,
        subject: uuid,
        time: now().toISOString(),
        data: { name, managed: record !== undefined, ...data },
      }),
    );
    const outcome = await store.tell(target, seen?.revision, news.sighting, events);
    if (outcome !== "stale") return outcome;
  }
  return "stale";
}

/** Tells a fault once, and again after things went well in between. */
function onceEach(log: (message: string) => void) {
  let last = "";
  return {
    tell(error: unknown): void {
      const message = error instanceof Error ? error.message : String(error);
      if (message !== last) log(`events: ${message}`);
      last = message;
    },
    forget: () => {
      last = "";
    },
  };
}
