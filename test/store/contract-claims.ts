/** Claims and leases: what one process at a time may have. */
import { describe, expect } from "vitest";
import { asking, carryOut, operationOn, recordOf, settlement, type Test } from "./contract-harness.ts";

const busy = (more: object = {}) =>
  expect.objectContaining({ code: "VM_BUSY", details: expect.objectContaining(more) });

export function claimContract(test: Test): void {
  describe("claims", () => {
    test("a VM is one process's until it is released, and whoever is refused is told whose it is", async (harness) => {
      const { one, two, vm } = harness;
      const target = vm();
      await carryOut(one, target, { record: recordOf(target, { name: "web" }) });
      const claim = await one.claim(target, { actor: "mcp:claude 1", what: "resize_disk" }, 0);
      const held = busy({ vm: "web", holder: "mcp:claude 1", what: "resize_disk" });
      await expect(two.claim(target, asking, 0)).rejects.toEqual(held);
      await expect(one.claim(target, asking, 0)).rejects.toEqual(held);
      await (await two.claim({ ...target, connection: "lab2" }, asking, 0)).release();
      await claim.release();
      await (await two.claim(target, asking, 0)).release();
    });

    test("a claim waits for the VM to be released", async ({ one, two, vm }) => {
      const target = vm();
      const first = await one.claim(target, asking, 0);
      const order: string[] = [];
      const second = two.claim(target, asking, 60_000).then((claim) => {
        order.push("claimed");
        return claim;
      });
      await expect(two.claim(vm(), asking, 0).then((other) => other.release())).resolves.toBeUndefined();
      order.push("released");
      await first.release();
      await (await second).release();
      expect(order).toEqual(["released", "claimed"]);
    });

    test("a second release takes nothing from whoever has the VM by then", async ({ one, two, vm }) => {
      const target = vm();
      const first = await one.claim(target, asking, 0);
      await first.release();
      const second = await one.claim(target, asking, 0);
      await first.release();
      await expect(two.claim(target, asking, 0)).rejects.toEqual(busy());
      await second.release();
    });

    test("a claim hands over what was left open on its VM, oldest first", async ({ one, two, vm }) => {
      const target = vm();
      const [older, newer, other] = [
        operationOn(target, { begunAt: "2026-11-23T10:00:01.000Z" }),
        operationOn(target, { begunAt: "2026-11-23T10:00:02.000Z", definition: "<domain/>" }),
        operationOn(vm()),
      ];
      for (const begun of [newer, other, older]) await one.begin(begun);
      await carryOut(one, target);
      await one.settle(older.id, settlement({ status: "unknown" }));
      const claim = await two.claim(target, asking, 0);
      expect(claim.left).toEqual([{ ...older, status: "unknown", settledAt: claim.left[0]!.settledAt }, newer]);
      await claim.release();
    });

    test("a VM of a process that was killed is taken over at once, with what it left", async (harness) => {
      const { one, two, start, vm } = harness;
      const target = vm();
      const begun = operationOn(target);
      const { use, kill } = await start();
      await use.claim(target, { actor: "other", what: "start_vm" }, 0);
      await use.begin(begun);
      await expect(one.claim(target, asking, 0)).rejects.toEqual(busy({ holder: "other", what: "start_vm" }));
      await kill();
      const claim = await one.claim(target, asking, 0);
      expect(claim.left).toEqual([begun]);
      await expect(two.claim(target, asking, 0)).rejects.toEqual(busy({ holder: "cli" }));
      await claim.release();
    });

    test("a store that closes gives back what it has", async ({ one, start, vm }) => {
      const target = vm();
      const { use } = await start();
      await use.claim(target, asking, 0);
      await use.close();
      const claim = await one.claim(target, asking, 0);
      expect(claim.left).toEqual([]);
      await claim.release();
    });

    test("processes that race for one VM never have it at once", async ({ one, two, start, vm }) => {
      const target = vm();
      const stores = [one, two, (await start()).use];
      const rounds = 8;
      await carryOut(one, target, { record: recordOf(target, { revision: 0 }) });
      await Promise.all(
        stores.map(async (store) => {
          for (let round = 0; round < rounds; round++) {
            const claim = await store.claim(target, asking, 100_000);
            // Lost, were another at it between the look and the write.
            const { revision } = (await store.record(target))!;
            await carryOut(store, target, { record: recordOf(target, { revision: revision + 1 }) });
            await claim.release();
          }
        }),
      );
      expect((await one.record(target))!.revision).toBe(stores.length * rounds);
    });
  });

  describe("leases", () => {
    test("a task is one process's until it is killed or closes, and then the next one's", async (harness) => {
      const { one, two, start } = harness;
      const task = `watch:${crypto.randomUUID()}`;
      const { use, kill } = await start();
      expect([await use.lease(task), await use.lease(task)]).toEqual([true, true]);
      expect([await one.lease(task), await two.lease(`${task}2`)]).toEqual([false, true]);
      await kill();
      const next = await start();
      expect(await next.use.lease(task)).toBe(true);
      expect(await two.lease(task)).toBe(false);
      await next.use.close();
      expect([await one.lease(task), await two.lease(task)]).toEqual([true, false]);
    });

    test("of many who ask for a task at one moment, one gets it", async ({ one, two }) => {
      const task = `watch:${crypto.randomUUID()}`;
      const [mine, theirs] = await Promise.all([one.lease(task), two.lease(task)]);
      expect([mine, theirs].filter(Boolean)).toHaveLength(1);
    });
  });
}
