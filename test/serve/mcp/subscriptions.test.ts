import { expect, onTestFinished, test } from "vitest";
import { DomainError } from "../../../src/domain/error.ts";
import { coalesced, type Subscriptions, subscriptionsFor } from "../../../src/serve/mcp/subscriptions.ts";
import { withJobs } from "../../support/jobs.ts";
import { orderChange, type World, world } from "../../support/world.ts";

type Hearing = Subscriptions & Readonly<{ notified: string[]; opened: () => number }>;

function hearing({ connections, ports, store }: World, refuse: () => boolean = () => false): Hearing {
  const notified: string[] = [];
  let opened = 0;
  const subscriptions = subscriptionsFor(
    {
      services: withJobs({
        ...ports,
        connections,
        plugins: { list: async () => [] },
        async store() {
          opened++;
          if (refuse()) throw new DomainError("STORE_UNAVAILABLE", { path: "", reason: "it is away" });
          return store;
        },
      }),
      defect: (error) => {
        throw error;
      },
    },
    { updated: async (uri) => void notified.push(uri), listChanged: async () => void notified.push("the list") },
  );
  onTestFinished(subscriptions.close);
  return { ...subscriptions, notified, opened: () => opened };
}

test("an operation is told to those who want its VM, itself, or one of the lists", async () => {
  const w = await world();
  const at = await w.create();
  const { begin, add, remove, notified } = hearing(w);
  await begin();
  add("1", [`vm://${at.uuid}`, "bootwright://operations", "bootwright://vms"]);
  const { operation } = await w.run(at, (state) => [orderChange(state, "hd")]);
  await expect.poll(() => notified).toHaveLength(3);
  expect(notified.sort()).toEqual(["bootwright://operations", "bootwright://vms", `vm://${at.uuid}`]);
  remove("1");
  add("2", [`operation://${operation}`]);
  await w.create({ uuid: "5e0a7a4e-54a5-4f0b-9d0c-4a6b6a1d2c02", name: "mail" });
  await expect.poll(() => notified).toEqual([expect.anything(), expect.anything(), expect.anything(), "the list"]);
});

test("subscriptionsFor() opens nothing before somebody begins, and then opens once", async () => {
  const w = await world();
  const { begin, add, opened } = hearing(w);
  add("1", ["bootwright://vms"]);
  expect(opened()).toBe(0);
  await Promise.all([begin(), begin()]);
  await begin();
  expect(opened()).toBe(1);
});

test("begin() is refused while the store cannot be opened, and the next one is not", async () => {
  const w = await world();
  let away = true;
  const { begin } = hearing(w, () => away);
  await expect(begin()).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
  away = false;
  await expect(begin()).resolves.toBeUndefined();
});

test("add() lets one client be told about a thousand resources at most, however it asks for them", async () => {
  const { add, remove } = hearing(await world());
  const uris = (count: number) => Array.from({ length: count }, (_, n) => `operation://${n}`);
  expect(add("1", uris(600))).toBe(true);
  expect(add("2", uris(401))).toBe(false);
  expect(add("2", uris(400))).toBe(true);
  expect(add("1", uris(600))).toBe(true);
  expect(add("3", uris(1))).toBe(false);
  remove("1");
  expect(add("3", uris(600))).toBe(true);
});

test("coalesced() tells the first at once and the last for sure, and what came between them as one", async () => {
  const notified: [string, number][] = [];
  let count = 0;
  const update = coalesced(async (subject) => void notified.push([subject, count]), 50);
  for (count = 1; count <= 100; count++) update("a");
  update("b");
  expect(notified).toEqual([
    ["a", 1],
    ["b", 101],
  ]);
  await expect.poll(() => notified).toHaveLength(3);
  expect(notified[2]).toEqual(["a", 101]);
  // That nothing more comes shows in time alone; vitest does not fake node:timers/promises.
  await new Promise((later) => setTimeout(later, 120));
  expect(notified).toHaveLength(3);
});

test("coalesced() waits for who takes longer than its pace, and tells once more what came meanwhile", async () => {
  const notified: (() => void)[] = [];
  const slow = coalesced(() => new Promise<void>((taken) => notified.push(taken)), 1);
  for (let count = 1; count <= 3; count++) {
    for (let times = 0; times < 100; times++) slow("a");
    // Many times its pace: that it waits shows in time alone.
    await new Promise((later) => setTimeout(later, 20));
    expect(notified).toHaveLength(count);
    notified.at(-1)!();
    await expect.poll(() => notified).toHaveLength(count + 1);
  }
});
