/** Records, operations and their history. */
import { describe, expect } from "vitest";
import { asking, carryOut, eventOf, operationOn, recordOf, settlement, type Test } from "./contract-harness.ts";
import { step } from "./fixture.ts";

/** Everything that a driver could get wrong in a text. */
const nasty = `q'uo"te ? ?? :a $1 \\ \\? %s 한글 😀 \u0001 \n\r\t -- /* ; <![CDATA[`;

export function operationContract(test: Test): void {
  describe("records", () => {
    test("a record is read by every process as it was written, and under its connection alone", async (harness) => {
      const { one, two, vm } = harness;
      const [target, other] = [vm(), { ...vm(), connection: "lab2" }];
      const written = recordOf(target, {
        name: nasty,
        requestedOrder: "hd",
        isoIdentity: "8:1:2",
        currentRun: { run: "r1", device: "cdrom", purpose: "install", startedAt: "2026-11-23T10:00:00.000Z" },
        suggestion: { evidence: nasty, by: "x", at: "2026-11-23T10:00:00.000Z", run: "r1" },
        seen: { bootOrder: "custom", diskPath: "/d", diskSizeBytes: 2 ** 45, media: "/i.iso", bootDevice: "cdrom" },
      });
      await carryOut(one, target, { record: written });
      await carryOut(one, other, { record: recordOf(other) });
      const read = await two.record(target);
      expect(read).toEqual({ ...written, updatedAt: read!.updatedAt });
      const uuids = async (connection?: string) => (await two.records(connection)).map(({ uuid }) => uuid);
      expect(await uuids("lab2")).toEqual([other.uuid]);
      expect(await uuids()).toEqual(expect.arrayContaining([target.uuid, other.uuid]));
      expect(await two.record({ ...target, connection: "lab2" })).toBeUndefined();
    });

    test("a settlement replaces the record but for when it was made, leaves it, or removes it", async (harness) => {
      const { one, two, vm } = harness;
      const target = vm();
      await carryOut(one, target, { record: recordOf(target, { requestedOrder: "hd", seen: { bootOrder: "hd" } }) });
      await carryOut(one, target, { record: recordOf(target, { revision: 2, createdAt: "1999-01-01T00:00:00.000Z" }) });
      const replaced = await two.record(target);
      expect(replaced).toEqual({ ...recordOf(target, { revision: 2 }), updatedAt: replaced!.updatedAt });
      await carryOut(one, target);
      expect(await two.record(target)).toEqual(replaced);
      await carryOut(one, target, { record: null });
      expect(await two.record(target)).toBeUndefined();
    });
  });

  describe("operations", () => {
    test("an operation is read by every process as it was begun", async ({ one, two, vm }) => {
      const begun = operationOn(vm(), { actor: nasty, what: nasty, definition: nasty, steps: [step(nasty)] });
      await one.begin(begun);
      expect(await two.operation(begun.id)).toEqual(begun);
      expect(await two.operation("none")).toBeUndefined();
    });

    test("an open operation advances, and one that is settled does not", async ({ one, two, vm }) => {
      const begun = operationOn(vm());
      await one.begin(begun);
      await one.advance(begun.id, [step("sda"), step("sdb")], "back");
      expect(await two.operation(begun.id)).toEqual({ ...begun, steps: [step("sda"), step("sdb")], direction: "back" });
      await one.settle(begun.id, settlement({ status: "rolled_back" }));
      await expect(two.advance(begun.id, [], "forward")).rejects.toThrow("is not open");
    });

    test("a settlement is outcome, record and events together", async ({ one, two, vm }) => {
      const target = vm();
      const begun = operationOn(target);
      const before = await one.lastEvent();
      const error = { code: "GUEST_REFUSED", message: nasty };
      const events = [eventOf(target, `${begun.id}:0`), eventOf(target, `${begun.id}:1`)];
      await one.begin(begun);
      await one.settle(begun.id, {
        status: "failed",
        steps: [step("sda")],
        error,
        record: recordOf(target),
        events,
      });
      const settled = await two.operation(begun.id);
      const settledAt = settled!.settledAt!;
      expect(settled).toEqual({ ...begun, status: "failed", steps: [step("sda")], error, settledAt });
      expect(await two.record(target)).toMatchObject(target);
      expect((await two.events(before)).map((one) => one.event)).toEqual(events);
    });

    test("a settlement that fails half way leaves no trace, and can be made again", async ({ one, two, vm }) => {
      const target = vm();
      const begun = operationOn(target);
      const before = await one.lastEvent();
      await one.begin(begun);
      const broken = { ...recordOf(target), name: null } as never;
      const events = [eventOf(target, `${begun.id}:0`)];
      await expect(one.settle(begun.id, settlement({ record: broken, events }))).rejects.toThrow();
      expect(await two.operation(begun.id)).toEqual(begun);
      expect([await two.record(target), await two.lastEvent()]).toEqual([undefined, before]);
      await one.settle(begun.id, settlement({ events }));
      expect(await two.lastEvent()).toBe(before + 1);
    });

    test("settling twice changes nothing, whoever comes second", async ({ one, two, vm }) => {
      const target = vm();
      const begun = operationOn(target);
      await one.begin(begun);
      const event = eventOf(target, `${begun.id}:0`);
      await one.settle(begun.id, settlement({ record: recordOf(target), events: [event] }));
      const all = async () => [await two.operation(begun.id), await two.record(target), await two.lastEvent()];
      const before = await all();
      const second = settlement({ status: "failed", record: null, events: [eventOf(target, `${begun.id}:1`)] });
      await one.settle(begun.id, second);
      await two.settle(begun.id, second);
      expect(await all()).toEqual(before);
    });

    test("of two processes that settle one operation at one moment, one does", async ({ one, two, vm }) => {
      const target = vm();
      const begun = operationOn(target);
      await one.begin(begun);
      const before = await one.lastEvent();
      const settle = (store: typeof one, revision: number) =>
        store.settle(
          begun.id,
          settlement({
            record: recordOf(target, { revision }),
            events: [eventOf(target, `${begun.id}:${revision}`)],
          }),
        );
      await Promise.all([settle(one, 1), settle(two, 2)]);
      const events = await one.events(before);
      expect(events).toHaveLength(1);
      expect(events[0]!.event.id).toBe(`${begun.id}:${(await two.record(target))!.revision}`);
    });

    test("an operation that was never begun cannot be settled", async ({ one, two }) => {
      await expect(one.settle("never", settlement())).rejects.toThrow("never begun");
      await expect(two.advance("never", [], "back")).rejects.toThrow("is not open");
    });

    test("an unknown outcome stays open until it is settled for good, and no event is lost", async (harness) => {
      const { one, two, vm } = harness;
      const target = vm();
      const begun = operationOn(target);
      await one.begin(begun);
      const before = await one.lastEvent();
      const unknown = settlement({
        status: "unknown",
        events: [eventOf(target, `${begun.id}:0`, "operation.unknown")],
      });
      await one.settle(begun.id, unknown);
      await two.settle(begun.id, unknown);
      expect((await two.open(target)).map(({ id }) => id)).toEqual([begun.id]);
      await two.settle(begun.id, settlement({ events: [eventOf(target, `${begun.id}:0`)] }));
      expect(await one.open(target)).toEqual([]);
      expect((await one.events(before)).map(({ event }) => [event.id, event.type])).toEqual([
        [`${begun.id}:0`, "operation.unknown"],
        [`${begun.id}:0:boot_order.changed`, "boot_order.changed"],
      ]);
    });

    test("what a living process is at is not open, and what it leaves when it is killed is", async (harness) => {
      const { one, two, start, vm } = harness;
      const target = vm();
      const begun = operationOn(target);
      const { use, kill } = await start();
      await use.claim(target, asking, 5_000);
      await use.begin(begun);
      expect([await one.open(target), await two.open(target), await use.open(target)]).toEqual([[], [], []]);
      await kill();
      expect([await one.open(target), await two.open(target)]).toEqual([[begun], [begun]]);
      expect(await one.open({ ...target, connection: "lab2" })).toEqual([]);
      await one.settle(begun.id, settlement({ status: "rolled_back" }));
    });
  });

  describe("history", () => {
    const begunAt = (second: number) => new Date(Date.UTC(2026, 10, 23, 10, 0, second)).toISOString();

    test("operations are listed newest first, page by page, and chosen by VM and status", async ({ one, two, vm }) => {
      const target = vm();
      const ids: string[] = [];
      // Many at one moment: a page may end among them.
      for (let nth = 0; nth < 9; nth++)
        ids.push(await carryOut(one, target, {}, { begunAt: begunAt(Math.floor(nth / 4)) }));
      const open = operationOn(target, { begunAt: begunAt(9) });
      await one.begin(open);
      const seen: string[] = [];
      for (let before: string | undefined; ; before = seen.at(-1)) {
        const page = await two.operations({ target, limit: 4, ...(before !== undefined && { before }) });
        seen.push(...page.map(({ id }) => id));
        if (page.length < 4) break;
      }
      expect(seen[0]).toBe(open.id);
      expect(seen.toSorted()).toEqual([...ids, open.id].toSorted());
      const times = await Promise.all(seen.map(async (id) => (await two.operation(id))!.begunAt));
      expect(times).toEqual(times.toSorted().toReversed());
      const chosen = await two.operations({ target, status: ["begun"], limit: 9 });
      expect(chosen.map(({ id }) => id)).toEqual([open.id]);
      const none = two.operations({ target, before: "none", limit: 9 });
      await expect(none).rejects.toMatchObject({ code: "OPERATION_NOT_FOUND" });
    });

    test("a list has no definitions; they are listed by size and read one by one", async ({ one, two, vm }) => {
      const target = vm();
      const kept = await carryOut(one, target, {}, { begunAt: begunAt(1), definition: "<domain>é</domain>" });
      const none = await carryOut(one, target, {}, { begunAt: begunAt(2) });
      const listed = await two.operations({ target, limit: 9 });
      expect(listed.map(({ id }) => id)).toEqual([none, kept]);
      expect(listed.every((operation) => !("definition" in operation))).toBe(true);
      expect(await two.definitions(target, 9)).toEqual([
        { operation: kept, what: "set_boot_order", begunAt: begunAt(1), bytes: 19 },
      ]);
      expect([await two.definition(kept), await two.definition(none)]).toEqual(["<domain>é</domain>", undefined]);
    });
  });
}
