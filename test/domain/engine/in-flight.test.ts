/** Calls that are carried out after whoever made them has stopped waiting. Goal: what such a call does is on record, and
 * it goes over nothing that was done to the VM meanwhile. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Change } from "../../../src/domain/changes/catalogue.ts";
import { recover, recoverAll } from "../../../src/domain/engine/recover.ts";
import { DomainError } from "../../../src/domain/error.ts";
import type { Target } from "../../../src/domain/model/vm.ts";
import type { Ports } from "../../../src/domain/ports/operation-ports.ts";
import { type Clock, hurryClock } from "../../reliability/sweep-clock.ts";
import { faulty } from "../../reliability/sweep-fault.ts";
import { orderChange, type World, world } from "../../support/world.ts";
import { AT, refused } from "../fixture.ts";
import { applying, perform, refusing } from "./faults.ts";
import { look, meaningOf, orderIn, threeSteps } from "./three-steps.ts";

const start = { kind: "power.start", purpose: "live", at: AT } as const;
const accept = ["NOTHING_BOOTS"];
const START_LIMIT_MS = 120_000;
const LIMIT_MS = 60_000;
const again = new AbortController().signal;

let clock: Clock;
beforeEach(() => {
  clock = hurryClock();
});
afterEach(() => clock.stop());

const unanswered = () =>
  new DomainError("BACKEND_UNAVAILABLE", { connection: "local", reason: "it hung up" }, { unanswered: true });

/** The ports on which the nth change of this kind is not answered; `happen` carries it out. */
function losing(ports: Ports, kind: Change["kind"], nth = 1) {
  let count = 0;
  let happen = async () => {};
  const lost = applying(ports, async (real, vm, change, context) => {
    if (change.kind !== kind || ++count !== nth) return real(vm, change, context);
    const { expect: _any, ...rest } = context;
    happen = () => real(vm, change, { ...rest, signal: again });
    throw unanswered();
  });
  return { ports: lost, happen: () => happen() };
}

describe("an operation whose call was not answered", () => {
  let time: number;
  let w: World;
  let at: Target;
  const later = (ms: number) => new Date(Date.parse(AT) + ms).toISOString();
  const settled = async (id: string) => {
    await recoverAll(w.ports, again, () => {});
    return (await w.store.operation(id))?.status;
  };
  beforeEach(async () => {
    time = Date.parse(AT);
    w = await world({ now: () => new Date(time) });
    at = await w.create();
  });

  test("stays open until its time is over, and what then happens is on record", async () => {
    const planted = losing(w.ports, "power.start");
    const lost = await refused("OUTCOME_UNKNOWN", perform(planted.ports, at, [start], { accept }));
    expect(lost.details.until).toBe(later(START_LIMIT_MS));
    time += START_LIMIT_MS - 1;
    expect(await settled(lost.details.operation)).toBe("unknown");
    const other = await refused(
      "OUTCOME_UNKNOWN",
      perform(w.ports, at, (now) => [orderChange(now, "hd")]),
    );
    expect(other.details).toEqual({ ...lost.details, reason: expect.stringContaining("it hung up") });
    expect(other.hint).toContain(later(START_LIMIT_MS));
    await planted.happen();
    expect(await settled(lost.details.operation)).toBe("applied");
    const { vm, record } = await w.look(at);
    expect(record?.currentRun?.run).toBe(vm?.run);
    const operation = await w.store.operation(lost.details.operation);
    expect(operation?.steps.map(({ status, maybeInFlightUntil: mark }) => [status, mark])).toEqual([
      ["done", undefined],
    ]);
  });

  test("is rolled back once its time is over and nothing has happened", async () => {
    const planted = losing(w.ports, "power.start");
    const lost = await refused("OUTCOME_UNKNOWN", perform(planted.ports, at, [start], { accept }));
    time += START_LIMIT_MS;
    expect(await settled(lost.details.operation)).toBe("rolled_back");
    expect((await perform(w.ports, at, (now) => [orderChange(now, "hd")])).changed).toBe(true);
  });

  test("waits for no longer than what runs the VM may be late", async () => {
    const planted = losing({ ...w.ports, backend: { ...w.backend, callOutlivesCallerMs: 10_000 } }, "power.start");
    const lost = await refused("OUTCOME_UNKNOWN", perform(planted.ports, at, [start], { accept }));
    expect(lost.details.until).toBe(later(10_000));
  });

  test("waits for the undoing of a step that was not answered, too", async () => {
    const before = await w.look(at);
    const planted = losing(refusing(w.ports, "claim.write"), "boot_order.set", 2);
    const lost = await refused("OUTCOME_UNKNOWN", perform(planted.ports, at, threeSteps, { look }));
    expect(lost.details.until).toBe(later(LIMIT_MS));
    time += LIMIT_MS - 1;
    expect(await settled(lost.details.operation)).toBe("unknown");
    expect(orderIn(await w.look(at))).toBe("hd");
    await planted.happen();
    expect(await settled(lost.details.operation)).toBe("rolled_back");
    expect(meaningOf(await w.look(at))).toEqual(meaningOf(before));
  });

  test("needs no wait where the store failed and the backend had answered", async () => {
    const failing = faulty(w.ports, { call: "settle", nth: 1, mode: "refuses from then on" });
    const id = (await refused("OUTCOME_UNKNOWN", perform(failing.ports, at, [start], { accept }))).details.operation;
    expect((await w.store.operation(id))?.steps[0]?.maybeInFlightUntil).toBeUndefined();
    expect(await recover(w.ports, (await w.store.operation(id))!)).toEqual({ status: "applied" });
  });
});

describe("an operation whose process was killed with a call on its way", () => {
  test("is looked at until a daemon that outlives it has had the time to carry the call out", async () => {
    const w = await world();
    const at = await w.create();
    const killed = faulty(w.ports, {
      call: "apply power.start",
      nth: 1,
      mode: "is not reached before the process ends",
    });
    await expect(perform(killed.ports, at, [start], { accept })).rejects.toThrow();
    const [operation] = await w.store.operations({ target: at, limit: 1 });
    let looks = 0;
    const backend = {
      ...w.backend,
      callOutlivesCallerMs: START_LIMIT_MS,
      async observe(...given: Parameters<typeof w.backend.observe>) {
        if (++looks === 3) await w.backend.apply((await w.look(at)).vm, start, { signal: again, progress: () => {} });
        return w.backend.observe(...given);
      },
    };
    expect(await recover({ ...w.ports, backend }, operation!)).toEqual({ status: "applied" });
    expect(looks).toBeGreaterThanOrEqual(3);
    const { vm, record } = await w.look(at);
    expect(record?.currentRun?.run).toBe(vm?.run);
  });
});
