// @module-tag process
import { expect, onTestFinished, test } from "vitest";
import { DomainError } from "../../../src/domain/error.ts";
import { type Follow, follow } from "../../../src/domain/events/follow.ts";
import type { SqliteStore } from "../../../src/store/sqlite/store.ts";
import { event, Other, open, run, target, temporaryDirectory } from "../../store/fixture.ts";

/** Follows until the test has finished, and gives the ids that were told. */
function following(journal: Follow["journal"], more: Partial<Follow> = {}) {
  const heard: string[] = [];
  const ending = new AbortController();
  const ended = follow({
    journal,
    after: 0,
    onEvent: ({ id }) => void heard.push(id),
    signal: ending.signal,
    ...more,
  });
  const end = async () => {
    ending.abort();
    await ended;
  };
  onTestFinished(end);
  return { heard, end };
}

let operations = 0;
async function write(store: SqliteStore, ...ids: string[]): Promise<void> {
  await run(store, { id: `o${++operations}` }, { events: ids.map((id) => event(id)) });
}
const allIds = async (store: SqliteStore) => (await store.events(0, 1e6)).map((entry) => entry.event.id);

test("follow() tells what is behind its place, and then each event once as it is written, in order", async () => {
  const store = await open(temporaryDirectory());
  await write(store, "a", "b");
  const place = await store.lastEvent();
  await write(store, "c");
  const { heard } = following(store, { after: place, everyMs: 60_000 });
  await expect.poll(() => heard).toEqual(["c"]);
  await write(store, "d", "e");
  await write(store, "f");
  await expect.poll(() => heard).toEqual(["c", "d", "e", "f"]);
});

test("follow() reads what is more than it reads at one time", async () => {
  const store = await open(temporaryDirectory());
  const ids = Array.from({ length: 25 }, (_, n) => `e${n}`);
  await write(store, ...ids);
  const { heard } = following(store, { atOnce: 5, everyMs: 60_000 });
  await expect.poll(() => heard).toEqual(ids);
});

test("follow() tells each event's place, and waits for whoever cannot take the next one yet", async () => {
  const store = await open(temporaryDirectory());
  await write(store, "a", "b", "c");
  const places: number[] = [];
  let take = () => {};
  const tell = (_event: unknown, place: number) => {
    places.push(place);
    return new Promise<void>((taken) => {
      take = taken;
    });
  };
  const { end } = following(store, { onEvent: tell });
  const written = (await store.events()).map(({ seq }) => seq);
  for (let count = 1; count <= 3; count++) {
    await expect.poll(() => places).toEqual(written.slice(0, count));
    take();
  }
  await end();
});

test("follow() tells what another process writes, everything, once and in order", async () => {
  const directory = temporaryDirectory();
  const store = await open(directory);
  const { heard } = following(store);
  const other = new Other("node", ["settle", directory, target.uuid]);
  await expect.poll(() => heard.length).toBeGreaterThan(50);
  await other.kill();
  const written = await allIds(store);
  await expect.poll(() => heard).toEqual(written);
});

test("follow() tells at once what another process writes, also where it then writes nothing more", async () => {
  const directory = temporaryDirectory();
  const store = await open(directory);
  const { heard } = following(store, { everyMs: 60_000 });
  const other = new Other("node", ["report", directory, target.uuid]);
  expect(await other.line()).toBe("ready");
  for (const id of ["a", "b", "c"]) {
    other.say(id);
    expect(await other.line()).toBe("reported");
    await expect.poll(() => heard.at(-1)).toBe(id);
  }
});

test("follow() looks now and then where nothing calls", async () => {
  const store = await open(temporaryDirectory());
  const { heard } = following({ events: store.events, onChange: () => () => {} }, { everyMs: 20 });
  await write(store, "a");
  await expect.poll(() => heard).toEqual(["a"]);
});

test("follow() goes on from its place when a store that could not be read can be read again", async () => {
  const store = await open(temporaryDirectory());
  let refusals = 0;
  let away = false;
  const { heard } = following(
    {
      onChange: store.onChange,
      async events(after, limit) {
        if (!away) return store.events(after, limit);
        refusals++;
        throw new DomainError("STORE_UNAVAILABLE", { path: "", reason: "it is away" });
      },
    },
    { everyMs: 60_000 },
  );
  await write(store, "a");
  await expect.poll(() => heard).toEqual(["a"]);
  away = true;
  await write(store, "b");
  await expect.poll(() => refusals).toBeGreaterThan(1);
  away = false;
  await write(store, "c");
  await expect.poll(() => heard).toEqual(["a", "b", "c"]);
});

test("follow() tells nothing more once it has ended, and is called no more", async () => {
  const store = await open(temporaryDirectory());
  let listeners = 0;
  const { heard, end } = following({
    events: store.events,
    onChange(listener) {
      listeners++;
      const stop = store.onChange(listener);
      return () => {
        listeners--;
        stop();
      };
    },
  });
  await write(store, "a");
  await expect.poll(() => heard).toEqual(["a"]);
  await end();
  expect(listeners).toBe(0);
  await write(store, "b");
  expect(await allIds(store)).toEqual(["a", "b"]);
  expect(heard).toEqual(["a"]);
});
