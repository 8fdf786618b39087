/** Events, what was reported of each VM, and who has been told. */
import { describe, expect, vi } from "vitest";
import type { ReportedState } from "../../src/domain/model/reported-state.ts";
import type { Target } from "../../src/domain/model/vm.ts";
import { asking, carryOut, eventOf, operationOn, settlement, type Test } from "./contract-harness.ts";

const SLOW_MS = 100_000;

const stateOf = (target: Target, more: Partial<ReportedState> = {}): ReportedState => ({
  ...target,
  name: "web",
  power: "running",
  run: "run-1",
  fingerprint: "f",
  ejected: [],
  media: {},
  lowSpace: [],
  agent: false,
  reboots: 0,
  ...more,
});

export function eventContract(test: Test): void {
  describe("events", () => {
    test("events are read in the order in which they were written, from any place on", async ({ one, two, vm }) => {
      const target = vm();
      const before = await two.lastEvent();
      const ids = Array.from({ length: 5 }, () => crypto.randomUUID());
      for (const [nth, id] of ids.entries()) await (nth % 2 ? one : two).note(eventOf(target, id, "console.opened"));
      const read = await two.events(before);
      expect(read.map(({ event }) => event.id)).toEqual(ids);
      expect((await one.events(read[1]!.seq, 2)).map(({ event }) => event.id)).toEqual(ids.slice(2, 4));
      expect(await two.lastEvent()).toBe(read.at(-1)!.seq);
      expect(await two.event(ids[3]!)).toEqual(read[3]);
      expect(await two.event("none")).toBeUndefined();
    });

    test("events are listed newest first, by VM, by type and before a place", async ({ one, two, vm }) => {
      const [target, other] = [vm(), vm()];
      const [a, b, c, d] = [1, 2, 3, 4].map(() => crypto.randomUUID()) as [string, string, string, string];
      await one.note(eventOf(target, a, "vm.started"));
      await one.note(eventOf(other, b, "vm.started"));
      await one.note(eventOf(target, c, "vm.stopped"));
      await one.note(eventOf(target, d, "vm.started"));
      const ids = async (query: Parameters<typeof one.listEvents>[0]) =>
        (await two.listEvents(query)).map(({ event }) => event.id);
      expect(await ids({ target, limit: 9 })).toEqual([d, c, a]);
      expect(await ids({ target, limit: 2 })).toEqual([d, c]);
      expect(await ids({ target, types: ["vm.started"], limit: 9 })).toEqual([d, a]);
      expect(await ids({ target, before: (await two.event(d))!.seq, limit: 9 })).toEqual([c, a]);
    });

    test("an event is noted once, whoever notes it again", async ({ one, two, vm }) => {
      const event = eventOf(vm(), crypto.randomUUID(), "console.opened");
      await one.note(event);
      const last = await one.lastEvent();
      await two.note(event);
      expect(await one.lastEvent()).toBe(last);
    });

    test("whoever listens is called after a write of any process, when it can be read", async (harness) => {
      const { one, two, vm } = harness;
      for (const writer of [one, two]) {
        const id = crypto.randomUUID();
        const read: unknown[] = [];
        const end = one.onChange(() => void one.event(id).then((found) => read.push(found?.event.id)));
        // A store in another process listens by the time that it answers what it is asked next.
        await one.lastEvent();
        await writer.note(eventOf(vm(), id, "console.opened"));
        await vi.waitFor(() => expect(read).toContain(id), SLOW_MS);
        end();
      }
    });
  });

  describe("reported states", () => {
    test("a report is a state and its events together, once for each revision", async ({ one, two, vm }) => {
      const target = { ...vm(), connection: crypto.randomUUID() };
      const before = await one.lastEvent();
      const [a, b, c] = [eventOf(target, crypto.randomUUID()), eventOf(target, "b"), eventOf(target, "c")];
      expect(await two.reportedState(target)).toBeUndefined();
      expect(await one.report(target, undefined, stateOf(target), [a])).toBe("reported");
      expect(await two.report(target, undefined, stateOf(target), [b])).toBe("stale");
      expect(await two.reportedState(target)).toEqual({ reportedState: stateOf(target), revision: 1 });
      expect(await two.report(target, 1, stateOf(target, { reboots: 2 }), [])).toBe("reported");
      expect(await one.report(target, 1, null, [c])).toBe("stale");
      expect((await one.reportedStates(target.connection)).map(({ revision }) => revision)).toEqual([2]);
      expect(await one.report(target, 2, null, [])).toBe("reported");
      expect(await two.reportedStates(target.connection)).toEqual([]);
      expect((await two.events(before)).map(({ event }) => event)).toEqual([a]);
    });

    test("nothing is reported while an operation is at the VM, or is left open on it", async (harness) => {
      const { one, two, start, vm } = harness;
      const target = vm();
      const { use, kill } = await start();
      const begun = operationOn(target);
      await use.claim(target, asking, 0);
      expect(await one.report(target, undefined, stateOf(target), [])).toBe("held");
      await use.begin(begun);
      await kill();
      expect(await one.report(target, undefined, stateOf(target), [])).toBe("held");
      await two.settle(begun.id, settlement({ status: "rolled_back" }));
      // The dead one's claim holds nobody up.
      expect(await one.report(target, undefined, stateOf(target), [])).toBe("reported");
    });

    test("a settlement reports what it leaves, given what was reported last", async ({ one, two, vm }) => {
      const target = vm();
      const before = await one.lastEvent();
      await one.report(target, undefined, stateOf(target), []);
      const given: unknown[] = [];
      const [first, second] = [crypto.randomUUID(), crypto.randomUUID()];
      await carryOut(one, target, {
        reports: (reported) => {
          given.push(reported);
          return { reportedState: stateOf(target, { power: "off" }), events: [eventOf(target, first)] };
        },
        events: [eventOf(target, second)],
      });
      expect(given).toEqual([stateOf(target)]);
      expect((await two.reportedState(target))!.reportedState.power).toBe("off");
      expect((await two.events(before)).map(({ event }) => event.id)).toEqual([first, second]);
    });

    test("the first look at a connection keeps what is known, and is remembered", async ({ one, two, vm }) => {
      const connection = crypto.randomUUID();
      const [known, found] = [
        { ...vm(), connection },
        { ...vm(), connection },
      ];
      await one.report(known, undefined, stateOf(known, { reboots: 7 }), []);
      const before = await one.lastEvent();
      expect(await two.isWatched(connection)).toBe(false);
      await one.initReportedStates(connection, [stateOf(known), stateOf(found)]);
      expect(await two.isWatched(connection)).toBe(true);
      const reboots = (await two.reportedStates(connection)).map(({ reportedState }) => reportedState.reboots);
      expect(reboots.toSorted()).toEqual([0, 7]);
      expect(await two.lastEvent()).toBe(before);
    });
  });

  describe("deliveries", () => {
    test("a new subscriber is told of what happens from now on, and goes on where it ended", async (harness) => {
      const { one, two, vm } = harness;
      const target = vm();
      const subscriber = crypto.randomUUID();
      await one.note(eventOf(target, crypto.randomUUID()));
      const { cursor, events } = await one.feed(subscriber, 9);
      expect([cursor, events]).toEqual([await one.lastEvent(), []]);
      const [a, b] = [crypto.randomUUID(), crypto.randomUUID()];
      for (const id of [a, b]) await two.note(eventOf(target, id));
      const feed = await two.feed(subscriber, 9);
      expect(feed.events.map(({ event }) => event.id)).toEqual([a, b]);
      await one.endRound(subscriber, { cursor: feed.events[0]!.seq, taken: [], failed: [] });
      expect((await two.feed(subscriber, 9)).events.map(({ event }) => event.id)).toEqual([b]);
      expect(await two.subscribers()).toContainEqual({ name: subscriber, cursor: feed.events[0]!.seq });
      // A round that ends late takes nothing back.
      await two.endRound(subscriber, { cursor: 0, taken: [], failed: [] });
      expect((await one.feed(subscriber, 9)).cursor).toBe(feed.events[0]!.seq);
    });

    test("what was not taken waits until it is due, is taken or is given up", async ({ one, two, vm }) => {
      const target = vm();
      const subscriber = crypto.randomUUID();
      await one.feed(subscriber, 1);
      for (let nth = 0; nth < 2; nth++) await one.note(eventOf(target, crypto.randomUUID()));
      const [first, second] = (await one.feed(subscriber, 9)).events;
      const [past, future] = ["2020-01-01T00:00:00.000Z", "2999-01-01T00:00:00.000Z"];
      const waiting = { attempts: 1, state: "waiting" as const };
      await one.endRound(subscriber, {
        cursor: second!.seq,
        taken: [],
        failed: [
          { ...first!, ...waiting, at: future, error: "not now" },
          { ...second!, attempts: 0, state: "waiting", at: past },
        ],
      });
      // The second is due, and waits behind the first of its VM all the same.
      expect(await two.feed(subscriber, 9)).toMatchObject({
        events: [],
        due: [],
        waitingFor: [target.uuid],
        nextAt: future,
      });
      await two.endRound(subscriber, { cursor: 0, taken: [], failed: [{ ...first!, ...waiting, at: past }] });
      expect((await one.feed(subscriber, 9)).due.map(({ seq }) => seq)).toEqual([first!.seq]);
      await one.endRound(subscriber, {
        cursor: 0,
        taken: [second!.seq],
        failed: [{ ...first!, attempts: 9, state: "dead", at: past, error: "never" }],
      });
      expect((await two.feed(subscriber, 9)).due).toEqual([]);
      const dead = await two.deliveries({ subscriber, limit: 9 });
      expect(dead).toEqual([{ subscriber, ...first!, attempts: 9, state: "dead", at: past, error: "never" }]);
      expect(await two.deliveries({ subscriber, state: "waiting", limit: 9 })).toEqual([]);
      await two.redeliver(subscriber, first!);
      expect((await one.feed(subscriber, 9)).due).toMatchObject([{ seq: first!.seq, attempts: 0, state: "waiting" }]);
    });
  });
}
