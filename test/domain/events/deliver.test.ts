import { describe, expect, it, onTestFinished } from "vitest";
import { type DeliveryOptions, deliver } from "../../../src/domain/events/deliver.ts";
import type { Subscriber } from "../../../src/domain/events/subscriber.ts";
import type { DomainEvent } from "../../../src/domain/model/event.ts";
import type { SqliteStore } from "../../../src/store/sqlite/store.ts";
import { event, open, run, target, temporaryDirectory } from "../../store/fixture.ts";

/** Another VM's events, in the same journal. */
const of = (vm: string, id: string): DomainEvent => ({ ...event(id), subject: vm });
let operations = 0;
const write = (store: SqliteStore, ...events: DomainEvent[]) => run(store, { id: `op-${++operations}` }, { events });

function delivering(store: SqliteStore, subscriber: Subscriber, more: Partial<DeliveryOptions> = {}) {
  const ending = new AbortController();
  const logged: string[] = [];
  const log = (message: string) => void logged.push(message);
  const options = { journal: store, now: () => new Date(), log, pauseMs: 5, idleMs: 50, ...more };
  const running = deliver(subscriber, options, ending.signal);
  const end = async () => {
    ending.abort();
    await running;
  };
  onTestFinished(end);
  return { end, logged };
}

/** A subscriber that notes what it was told; `fails` says which. */
function listener(name: string, fails: (event: DomainEvent, time: number) => boolean = () => false) {
  const delivered: string[] = [];
  const times = new Map<string, number>();
  const subscriber: Subscriber = {
    name,
    types: ["boot_order.changed"],
    async deliver(one) {
      const time = (times.get(one.id) ?? 0) + 1;
      times.set(one.id, time);
      if (fails(one, time)) throw new Error(`not ${one.id}`);
      delivered.push(one.id);
    },
  };
  return { subscriber, delivered, times };
}

describe("deliver()", () => {
  it("tells a new subscriber of what happens from now on, in order, once", async () => {
    const store = await open(temporaryDirectory());
    await write(store, event("old"));
    const { subscriber, delivered } = listener("one");
    await store.feed("one", 1);
    const { end } = delivering(store, subscriber);
    await write(store, event("a"), event("b", "vm.started"), event("c"));
    await write(store, event("d"));
    await expect.poll(() => delivered).toEqual(["a", "c", "d"]);
    await end();
    const again = listener("one");
    delivering(store, again.subscriber);
    await write(store, event("e"));
    await expect.poll(() => again.delivered).toEqual(["e"]);
  });

  it("calls again after growing pauses, while other VMs' events go on and the same VM's wait", async () => {
    const store = await open(temporaryDirectory());
    const { subscriber, delivered } = listener("one", ({ id }, time) => id === "a1" && time < 3);
    await store.feed("one", 1);
    delivering(store, subscriber);
    await write(store, of("a", "a1"), of("a", "a2"), of("b", "b1"));
    await expect.poll(() => delivered).toEqual(["b1", "a1", "a2"]);
    expect(await store.deliveries({ limit: 9 })).toEqual([]);
  });

  it("gives up in the end, keeps what it gave up, and delivers it again when asked to", async () => {
    const store = await open(temporaryDirectory());
    let broken = true;
    const { subscriber, delivered, times } = listener("one", ({ id }) => id === "a1" && broken);
    await store.feed("one", 1);
    delivering(store, subscriber, { attemptsMax: 3 });
    await write(store, of("a", "a1"), of("a", "a2"));
    await expect.poll(() => delivered).toEqual(["a2"]);
    expect(times.get("a1")).toBe(3);
    const [dead, ...rest] = await store.deliveries({ state: "dead", limit: 9 });
    expect(rest).toEqual([]);
    expect(dead).toMatchObject({ subscriber: "one", attempts: 3, error: "not a1", event: { id: "a1" } });
    broken = false;
    await store.redeliver("one", (await store.event("a1"))!);
    await expect.poll(() => delivered).toEqual(["a2", "a1"]);
    expect(await store.deliveries({ limit: 9 })).toEqual([]);
  });

  it("delays nobody else for a subscriber that hangs, and leaves it its place when it ends", async () => {
    const store = await open(temporaryDirectory());
    const quick = listener("quick");
    const slow: Subscriber = {
      name: "slow",
      types: ["boot_order.changed"],
      deliver: (_event, signal) =>
        new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(new Error("ended")))),
    };
    for (const name of ["quick", "slow"]) await store.feed(name, 1);
    const { end } = delivering(store, slow);
    delivering(store, quick.subscriber);
    await write(store, event("a"));
    await expect.poll(() => quick.delivered).toEqual(["a"]);
    await end();
    expect((await store.feed("slow", 9)).events.map(({ event: { id } }) => id)).toEqual(["a"]);
  });

  it("delivers each event in one of two processes on one database, and in the other once that one is gone", async () => {
    const directory = temporaryDirectory();
    const [first, second] = [await open(directory), await open(directory)];
    const [one, two] = [listener("same"), listener("same")];
    await first.feed("same", 1);
    const { end } = delivering(first, one.subscriber);
    await expect.poll(() => second.lease("deliver:same")).toBe(false);
    delivering(second, two.subscriber);
    for (let number = 0; number < 20; number++) await write(first, event(`e${number}`));
    await expect.poll(() => one.delivered).toHaveLength(20);
    expect(two.delivered).toEqual([]);
    await end();
    await first.close();
    await write(second, event("last"));
    await expect.poll(() => two.delivered).toEqual(["last"]);
  });

  it("goes on where it was once a database that could not be written can be written again", async () => {
    const store = await open(temporaryDirectory());
    const { subscriber, delivered } = listener("one");
    await store.feed("one", 1);
    let broken = true;
    const endRound: SqliteStore["endRound"] = (...round) =>
      broken ? Promise.reject(new Error("the disk is full")) : store.endRound(...round);
    const { logged } = delivering({ ...store, endRound }, subscriber);
    await write(store, event("a"));
    await expect.poll(() => logged).toEqual(["events for one: the disk is full"]);
    broken = false;
    await write(store, event("b"));
    await expect.poll(() => delivered.at(-1)).toBe("b");
    expect(new Set(delivered)).toEqual(new Set(["a", "b"]));
    expect((await store.feed("one", 9)).events).toEqual([]);
    expect(target.uuid).toBe((await store.events()).at(-1)?.event.subject);
  });
});
