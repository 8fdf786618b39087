/** A store that fails in the middle of an operation. Goal: the caller is told no more than is known, and the next look
 * settles it. */
import { describe, expect, test } from "vitest";
import { recoverAll } from "../../../src/domain/engine/recover.ts";
import { faulty } from "../../reliability/sweep-fault.ts";
import { world } from "../../support/world.ts";
import { refused } from "../fixture.ts";
import { perform } from "./faults.ts";
import { look, threeSteps } from "./three-steps.ts";

const lookOnly = () => [];

describe("operate() with a store that fails in the middle", () => {
  test.each(["advance", "settle"])(
    "operate() says OUTCOME_UNKNOWN when %s fails, since the VM is changed",
    async (call) => {
      const w = await world();
      const at = await w.create();
      const { ports } = faulty(w.ports, { call, nth: 1, mode: "refuses" });
      const { details } = await refused("OUTCOME_UNKNOWN", perform(ports, at, threeSteps, { look }));
      expect(details.reason).toContain(call);
      // Nobody has to ask for another change.
      await recoverAll(w.ports, new AbortController().signal, () => {});
      expect((await w.store.operation(details.operation))?.status).toBe(call === "settle" ? "applied" : "rolled_back");
    },
  );

  test("operate() leaves nothing to happen later when the beginning fails, though it was written", async () => {
    const w = await world();
    const at = await w.create();
    const { ports } = faulty(w.ports, { call: "begin", nth: 1, mode: "works and reports an error" });
    const complete = [{ kind: "installation.set", transition: "complete" }] as const;
    await refused("STORE_UNAVAILABLE", perform(ports, at, complete));
    await perform(w.ports, at, lookOnly);
    expect((await w.store.record(at))?.status).toBe("NotInstalled");
  });
});
