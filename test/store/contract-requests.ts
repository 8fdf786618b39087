/** What may be used once: confirmations, and the keys of requests that may be sent twice. */
import { describe, expect } from "vitest";
import type { Test } from "./contract-harness.ts";

const HOUR_MS = 3_600_000;

export function requestContract(test: Test): void {
  describe("confirmations", () => {
    test("a confirmation is taken once, for the subject it was offered for", async ({ one, two }) => {
      const token = crypto.randomUUID();
      await one.offerConfirmation(token, "delete_vm web?", HOUR_MS);
      expect(await two.takeConfirmation(token, "delete_vm db?")).toBe(false);
      expect(await two.takeConfirmation(token.toUpperCase(), "delete_vm web?")).toBe(false);
      expect(await two.takeConfirmation(token, "delete_vm web?")).toBe(true);
      expect(await one.takeConfirmation(token, "delete_vm web?")).toBe(false);
    });

    test("of many who take a confirmation at one moment, one has it", async ({ one, two }) => {
      const token = crypto.randomUUID();
      await one.offerConfirmation(token, "subject", HOUR_MS);
      const taken = await Promise.all(
        [one, two, one, two, one, two].map((store) => store.takeConfirmation(token, "subject")),
      );
      expect(taken.filter(Boolean)).toHaveLength(1);
    });

    test("a confirmation whose time is up is not taken", async ({ one, two }) => {
      const token = crypto.randomUUID();
      await one.offerConfirmation(token, "subject", 0);
      expect(await two.takeConfirmation(token, "subject")).toBe(false);
    });
  });

  describe("request keys", () => {
    const kindOf = async (taking: Promise<{ kind: string }>) => (await taking).kind;

    test("of many who take a key at one moment, one has it, and the next once it is given back", async (harness) => {
      const { one, two } = harness;
      const key = crypto.randomUUID();
      const kinds = await Promise.all([one, two, one, two].map((store) => kindOf(store.takeKey(key, "r", HOUR_MS))));
      expect(kinds.toSorted()).toEqual(["taken", "under_way", "under_way", "under_way"]);
      const [holder, other] = kinds.indexOf("taken") % 2 === 0 ? [one, two] : [two, one];
      await other.giveKeyBack(key);
      expect(await kindOf(other.takeKey(key, "r", HOUR_MS))).toBe("under_way");
      await holder.giveKeyBack(key);
      expect(await kindOf(other.takeKey(key, "r", HOUR_MS))).toBe("taken");
    });

    test("a key that was answered has its answer for the same request alone, while its time lasts", async (harness) => {
      const { one, two } = harness;
      const [lasting, over] = [crypto.randomUUID(), crypto.randomUUID()];
      await one.takeKey(lasting, "request", HOUR_MS);
      await one.answerKey(lasting, "done");
      await one.giveKeyBack(lasting);
      expect(await two.takeKey(lasting, "request", HOUR_MS)).toEqual({ kind: "answered", answer: "done" });
      expect(await kindOf(two.takeKey(lasting, "another", HOUR_MS))).toBe("other");
      await one.takeKey(over, "request", 0);
      await one.answerKey(over, "done");
      expect(await kindOf(two.takeKey(over, "another", HOUR_MS))).toBe("taken");
    });

    test("a key of a process that was killed is taken over, unless something had begun", async ({ one, start }) => {
      const { use, kill } = await start();
      const [asked, begun, done] = [crypto.randomUUID(), crypto.randomUUID(), crypto.randomUUID()];
      for (const key of [asked, begun, done]) await use.takeKey(key, "request", HOUR_MS);
      for (const key of [begun, done]) await use.beginKey(key, "it has begun");
      await use.answerKey(done, "it is done");
      const all = () => Promise.all([asked, begun, done].map((key) => one.takeKey(key, "request", HOUR_MS)));
      const answered = { kind: "answered", answer: "it is done" };
      expect(await all()).toEqual([{ kind: "under_way" }, { kind: "under_way" }, answered]);
      await kill();
      expect(await all()).toEqual([{ kind: "taken" }, { kind: "answered", answer: "it has begun" }, answered]);
    });
  });
}
