import { expect, test, vi } from "vitest";
import { ANSWERS_BYTES_MAX, REQUEST_KEYS_MAX } from "../../src/store/request-keys.ts";
import { open, run, sql, temporaryDirectory } from "./fixture.ts";

const taken = { kind: "taken" };

test("A key is taken once by many who come at once, and by the next one once it was given back", async () => {
  const directory = temporaryDirectory();
  const stores = [await open(directory), await open(directory)];
  const kinds = await Promise.all([...stores, ...stores].map((store) => store.takeKey("k", "request", 1000)));
  expect(kinds.map(({ kind }) => kind).sort()).toEqual(["taken", "under_way", "under_way", "under_way"]);
  for (const store of stores) await store.giveKeyBack("k");
  expect(await stores[1]!.takeKey("k", "request", 1000)).toEqual(taken);
});

test("A key that was answered has that answer for the same request alone, until its time is over", async () => {
  let at = 1_000_000;
  const directory = temporaryDirectory();
  const store = await open(directory, { now: () => new Date(at) });
  await store.takeKey("k", "request", 1000);
  await store.answerKey("k", "done");
  await store.giveKeyBack("k");
  expect(await store.takeKey("k", "request", 1000)).toEqual({ kind: "answered", answer: "done" });
  expect(await store.takeKey("k", "another", 1000)).toEqual({ kind: "other" });
  at += 1000;
  expect(await store.takeKey("k", "another", 1000)).toEqual(taken);
});

test("A key of a process that is gone is taken over", async () => {
  const directory = temporaryDirectory();
  const [one, two] = [await open(directory), await open(directory)];
  await one.takeKey("k", "request", 1000);
  expect(await two.takeKey("k", "request", 1000)).toEqual({ kind: "under_way" });
  await one.close();
  expect(await two.takeKey("k", "request", 1000)).toEqual(taken);
});

test("A key for which a process had begun something is answered once that process is gone", async () => {
  const directory = temporaryDirectory();
  const [one, two] = [await open(directory), await open(directory)];
  for (const key of ["begun", "done"]) {
    await one.takeKey(key, "request", 1000);
    await one.beginKey(key, "it has begun");
  }
  await one.answerKey("done", "it is done");
  expect(await two.takeKey("begun", "request", 1000)).toEqual({ kind: "under_way" });
  expect(await two.takeKey("done", "request", 1000)).toEqual({ kind: "answered", answer: "it is done" });
  await one.giveKeyBack("begun");
  await one.close();
  expect(await two.takeKey("begun", "request", 1000)).toEqual({ kind: "answered", answer: "it has begun" });
});

test("Keys of processes that died are removed with old history, and no others", async () => {
  const directory = temporaryDirectory();
  const [store, living, dead] = [await open(directory), await open(directory), await open(directory)];
  await dead.takeKey("answered", "request", 1000);
  await dead.answerKey("answered", "done");
  for (const key of ["a", "b"]) await dead.takeKey(key, "request", 1000);
  await living.takeKey("c", "request", 1000);
  await store.takeKey("d", "request", 1000);
  await dead.close();
  // Every so many settlements a store prunes by itself.
  for (let number = 0; number < 50; number++) await run(store, { id: `${number}` });
  await vi.waitFor(() => {
    const left = sql(directory, "select key from request_keys order by key").map(({ key }) => key);
    expect(left).toEqual(["answered", "c", "d"]);
  }, 60_000);
});

test("Keys and their answers are bounded, the newest stay", async () => {
  let at = 1_000_000;
  const directory = temporaryDirectory();
  const store = await open(directory, { now: () => new Date(at++) });
  const rows = Array.from({ length: REQUEST_KEYS_MAX }, (_, n) => `('old-${n}', 'r', 'h', 'a', ${2_000_000 + n})`);
  sql(directory, `insert into request_keys (key, request, holder, answer, expires_at) values ${rows.join(",")}`);
  await store.takeKey("new", "request", 9_000_000);
  await store.answerKey("new", "done");
  const count = () => sql(directory, "select count(*) as n, min(expires_at) as first from request_keys");
  expect(count()).toEqual([{ n: REQUEST_KEYS_MAX, first: 2_000_001 }]);
  await store.takeKey("large", "request", 10_000_000);
  await store.answerKey("large", "x".repeat(ANSWERS_BYTES_MAX - 1));
  expect(sql(directory, "select key from request_keys order by expires_at")).toEqual([{ key: "large" }]);
});
