/** Calls that never return, and calls that work and report an error, where an operation is undone or settled later. Goal:
 * the caller is answered in the end, and nothing is believed that nobody saw. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { recover } from "../../../src/domain/engine/recover.ts";
import { type Clock, startClock } from "../../reliability/sweep-clock.ts";
import { answerOf, faulty } from "../../reliability/sweep-fault.ts";
import { world } from "../../support/world.ts";
import { AT, refusal, refused } from "../fixture.ts";
import { perform, refusing } from "./faults.ts";
import { look, meaningOf, threeSteps } from "./three-steps.ts";

const lookOnly = () => [];

describe("operate() with a call that never returns", () => {
  let clock: Clock;
  beforeEach(() => {
    clock = startClock();
  });
  afterEach(() => clock.stop());

  test.each([
    { what: "the look after a step", call: "observe", nth: 2, fails: false },
    { what: "the undoing of a step", call: "apply boot_order.set", nth: 2, fails: true },
    { what: "the look after an undo", call: "observe", nth: 5, fails: true },
  ])("operate() answers OUTCOME_UNKNOWN when $what never returns, and the next look settles it", async (at) => {
    const w = await world();
    const target = await w.create();
    const before = await w.look(target);
    const planted = faulty(at.fails ? refusing(w.ports, "claim.write") : w.ports, {
      call: at.call,
      nth: at.nth,
      mode: "never returns, not done",
    });
    const answered = await answerOf(perform(planted.ports, target, threeSteps, { look }), planted, clock);
    const { details } = refusal("OUTCOME_UNKNOWN", () => {
      throw (answered as { error: unknown } | undefined)?.error;
    });
    expect(details.reason).toContain("no answer within");
    expect(await w.store.operation(details.operation)).toMatchObject({ status: "unknown" });
    await perform(w.ports, target, lookOnly);
    expect(await w.store.operation(details.operation)).toMatchObject({ status: "rolled_back" });
    expect(meaningOf(await w.look(target))).toEqual(meaningOf(before));
  });

  test("recover() leaves open what it never hears the end of", async () => {
    const w = await world();
    const target = await w.create();
    const process = faulty(w.ports, { call: "apply power.stop", nth: 1, mode: "is the last before the process ends" });
    const start = { kind: "power.start", purpose: "live", at: AT } as const;
    await perform(w.ports, target, [start], { accept: ["NOTHING_BOOTS"] });
    const restart = [{ kind: "power.stop", force: true, timeoutMs: 0 } as const, start];
    const more = { accept: ["NOTHING_BOOTS"] };
    const { confirm } = (await refused("CONFIRMATION_REQUIRED", perform(w.ports, target, restart, more))).details;
    await expect(perform(process.ports, target, restart, { ...more, confirm })).rejects.toThrow();
    const [operation] = await w.store.operations({ target, limit: 1 });
    const planted = faulty(w.ports, { call: "apply power.start", nth: 1, mode: "never returns, not done" });
    const answered = await answerOf(recover(planted.ports, operation!), planted, clock);
    expect(answered).toMatchObject({ answer: { status: "unknown" } });
    expect(await recover(w.ports, (await w.store.operation(operation!.id))!)).toEqual({ status: "applied" });
    expect((await w.look(target)).vm?.power).toBe("running");
  });
});

describe("recover() with a backend that reports an error and works", () => {
  test("recover() looks at what it has done, and believes no error", async () => {
    const w = await world();
    const at = await w.create();
    const start = { kind: "power.start", purpose: "live", at: AT } as const;
    const more = { accept: ["NOTHING_BOOTS"] };
    await perform(w.ports, at, [start], more);
    const restart = [{ kind: "power.stop", force: true, timeoutMs: 0 } as const, start];
    const { confirm } = (await refused("CONFIRMATION_REQUIRED", perform(w.ports, at, restart, more))).details;
    const ended = faulty(w.ports, { call: "apply power.stop", nth: 1, mode: "is the last before the process ends" });
    await expect(perform(ended.ports, at, restart, { ...more, confirm })).rejects.toThrow();
    const [operation] = await w.store.operations({ target: at, limit: 1 });
    const lying = faulty(w.ports, { call: "apply power.start", nth: 1, mode: "works and reports an error" });
    expect(await recover(lying.ports, operation!)).toEqual({ status: "applied" });
    expect((await w.look(at)).record?.currentRun?.run).toBe((await w.look(at)).vm?.run);
  });
});
