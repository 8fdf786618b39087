import { expect, test } from "vitest";
import { CONFIRMATIONS_MAX } from "../../src/store/confirmations.ts";
import { open, sql, temporaryDirectory } from "./fixture.ts";

test("takeConfirmation() is true once, for the token and the subject it was offered for", async () => {
  const directory = temporaryDirectory();
  const [first, second] = [await open(directory), await open(directory)];
  await first.offerConfirmation("token", "delete_vm web?", 1000);
  expect(await second.takeConfirmation("token", "delete_vm db?")).toBe(false);
  expect(await second.takeConfirmation("Token", "delete_vm web?")).toBe(false);
  expect(await second.takeConfirmation("token", "delete_vm web?")).toBe(true);
  expect(await first.takeConfirmation("token", "delete_vm web?")).toBe(false);
});

test("takeConfirmation() is true for one of many who come at once", async () => {
  const directory = temporaryDirectory();
  const stores = [await open(directory), await open(directory)];
  await stores[0]?.offerConfirmation("token", "subject", 1000);
  const taken = await Promise.all(
    [...stores, ...stores, ...stores].map((store) => store.takeConfirmation("token", "subject")),
  );
  expect(taken.filter(Boolean)).toHaveLength(1);
});

test("takeConfirmation() is false once the time is up, and expired ones are removed", async () => {
  const directory = temporaryDirectory();
  let at = 1_000_000;
  const store = await open(directory, { now: () => new Date(at) });
  await store.offerConfirmation("token", "subject", 1000);
  at += 1000;
  expect(await store.takeConfirmation("token", "subject")).toBe(false);
  await store.offerConfirmation("other", "subject", 1000);
  expect(sql(directory, "select count(*) as n from confirmations")).toEqual([{ n: 1 }]);
});

test("The database holds no token", async () => {
  const directory = temporaryDirectory();
  await (await open(directory)).offerConfirmation("very-secret-token", "subject", 1000);
  expect(JSON.stringify(sql(directory, "select * from confirmations"))).not.toContain("very-secret-token");
});

test("offerConfirmation() keeps the newest offers, so that asking again and again leaves no more than those", async () => {
  const directory = temporaryDirectory();
  const store = await open(directory);
  await store.offerConfirmation("oldest", "s", 30_000);
  await store.offerConfirmation("old", "s", 60_000);
  const others = `with recursive n(i) as (select 1 union all select i + 1 from n where i < ${CONFIRMATIONS_MAX - 2})
    insert into confirmations select 'other' || i, 's', ${Date.now() + 90_000} from n`;
  sql(directory, others, "select 1");
  await store.offerConfirmation("new", "s", 120_000);
  expect(sql(directory, "select count(*) as n from confirmations")).toEqual([{ n: CONFIRMATIONS_MAX }]);
  expect(await store.takeConfirmation("oldest", "s")).toBe(false);
  expect(await store.takeConfirmation("old", "s")).toBe(true);
});
