// @module-tag long
/** What happens while an operation runs: other programs edit the VM, the caller gives up. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Change } from "../../../src/domain/changes/catalogue.ts";
import { DomainError } from "../../../src/domain/error.ts";
import type { VmDefinition } from "../../../src/domain/model/vm.ts";
import { type Clock, hurryClock } from "../../reliability/sweep-clock.ts";
import { orderChange, world } from "../../support/world.ts";
import { AT, presetBoot, refused } from "../fixture.ts";
import { applying, perform, recordCalls } from "./faults.ts";
import { edit, look, meaningOf, orderIn, threeSteps } from "./three-steps.ts";

describe("operate() and other programs", () => {
  const edits: [string, Partial<VmDefinition>][] = [
    ["something else", { cpus: 7 }],
    ["the very thing", { boot: presetBoot("hd_cdrom") }],
  ];
  test.each(edits)(
    "operate() touches nothing when another program changed %s right before the write",
    async (_what, more) => {
      const w = await world();
      const at = await w.create();
      const raced = applying(w.ports, async (real, vm, change, context) => {
        edit(w, at.uuid, more);
        await real(vm, change, context);
      });
      const { ports, calls } = recordCalls(raced);
      const error = await refused(
        "VM_CHANGED_MEANWHILE",
        perform(ports, at, (now) => [orderChange(now, "hd")]),
      );
      expect(error.outcome).toMatchObject({ status: "rolled_back", kept: [] });
      expect(calls.filter((call) => call.startsWith("apply"))).toHaveLength(1);
      expect((await w.look(at)).vm?.next).toMatchObject(more);
    },
  );

  test("operate() starts the VM of a restart from what another program has made of it meanwhile", async () => {
    const w = await world();
    const at = await w.create();
    const start: Change = { kind: "power.start", purpose: "live", at: AT };
    await perform(w.ports, at, [start], { accept: ["NOTHING_BOOTS"] });
    const stop: Change = { kind: "power.stop", force: true, timeoutMs: 0 };
    let edits = 0;
    const raced = applying(w.ports, async (real, vm, change, context) => {
      if (change.kind === "power.start" && edits++ < 2) edit(w, at.uuid, { cpus: 6 + edits });
      await real(vm, change, context);
    });
    const accept = ["NOTHING_BOOTS"];
    const asked = await refused("CONFIRMATION_REQUIRED", perform(raced, at, [stop, start], { accept }));
    const { confirm } = asked.details;
    const restarted = await perform(raced, at, [stop, start], { accept, confirm });
    expect(restarted.after.vm).toMatchObject({ power: "running", live: { cpus: 8 } });
    expect((await w.store.record(at))?.currentRun?.run).toBe(restarted.after.vm?.run);
  });

  test("operate() takes what another program made so meanwhile as done", async () => {
    const w = await world();
    const at = await w.create();
    const helped = applying(w.ports, async (real, vm, change, context) => {
      edit(w, at.uuid, { boot: presetBoot("hd") });
      await real(vm, change, context);
    });
    expect((await perform(helped, at, (now) => [orderChange(now, "hd")])).changed).toBe(true);
  });

  test("operate() does not roll over another program's edit after its own write", async () => {
    const w = await world();
    const at = await w.create();
    const raced = applying(w.ports, async (real, vm, change, context) => {
      if (change.kind === "claim.write") edit(w, at.uuid, { cpus: 7 });
      await real(vm, change, context);
    });
    const error = await refused("ROLLBACK_FAILED", perform(raced, at, threeSteps, { look }));
    expect(error.details.reason).toContain("another program");
    const now = await w.look(at);
    expect(now.vm?.next.cpus).toBe(7);
    expect(orderIn(now)).toBe("hd");
  });
});

describe("operate() cancelled", () => {
  test("operate() touches nothing when it was cancelled before", async () => {
    const w = await world();
    const at = await w.create();
    const { ports, calls } = recordCalls(w.ports);
    await expect(
      perform(ports, at, (now) => [orderChange(now, "hd")], { signal: AbortSignal.abort() }),
    ).rejects.toThrow();
    expect(calls.filter((call) => call.startsWith("apply") || call === "begin")).toEqual([]);
    expect((await perform(w.ports, at, (now) => [orderChange(now, "hd")])).changed).toBe(true);
  });

  test("operate() touches nothing, and no other program's edit, when it is cancelled after it began", async () => {
    const w = await world();
    const at = await w.create();
    const controller = new AbortController();
    const begun = {
      ...w.ports,
      store: {
        ...w.store,
        begin: async (operation: Parameters<typeof w.store.begin>[0]) => {
          await w.store.begin(operation);
          edit(w, at.uuid, { boot: presetBoot("hd_cdrom") });
          controller.abort();
        },
      },
    };
    const error = await refused(
      "CANCELLED",
      perform(begun, at, (now) => [orderChange(now, "hd")], { signal: controller.signal }),
    );
    expect(error.outcome?.status).toBe("rolled_back");
    expect(orderIn(await w.look(at))).toBe("hd_cdrom");
  });

  test("operate() undoes what it did when it is cancelled between its steps", async () => {
    const w = await world();
    const at = await w.create();
    const controller = new AbortController();
    const stopping = applying(w.ports, async (real, vm, change, context) => {
      await real(vm, change, context);
      if (change.kind === "boot_order.set") controller.abort();
    });
    const before = await w.look(at);
    const error = await refused("CANCELLED", perform(stopping, at, threeSteps, { look, signal: controller.signal }));
    expect(error.outcome).toMatchObject({ status: "rolled_back", kept: [] });
    expect(meaningOf(await w.look(at))).toEqual(meaningOf(before));
  });

  test("operate() lets a step that cannot be left half-way come to its end", async () => {
    const w = await world();
    const at = await w.create();
    const controller = new AbortController();
    const slow = applying(w.ports, async (real, vm, change, context) => {
      controller.abort();
      expect(context.signal.aborted).toBe(false);
      await real(vm, change, context);
    });
    expect((await perform(slow, at, (now) => [orderChange(now, "hd")], { signal: controller.signal })).changed).toBe(
      true,
    );
  });

  test("operate() ends the wait for a guest that does not shut down", async () => {
    const w = await world({ config: { honoursShutdown: false } });
    const at = await w.create();
    await perform(w.ports, at, [{ kind: "power.start", purpose: "live", at: AT }], { accept: ["NOTHING_BOOTS"] });
    const controller = new AbortController();
    const progress = () => controller.abort();
    const stop: Change = { kind: "power.stop", force: false, timeoutMs: 3_600_000 };
    const error = await refused("CANCELLED", perform(w.ports, at, [stop], { signal: controller.signal, progress }));
    expect(error.outcome?.status).toBe("rolled_back");
    expect((await w.look(at)).vm?.power).toBe("running");
  });
});

describe("operate() and a backend that does not answer", () => {
  let clock: Clock;
  beforeEach(() => {
    clock = hurryClock();
  });
  afterEach(() => clock.stop());
  const unanswered = () =>
    new DomainError("BACKEND_UNAVAILABLE", { connection: "local", reason: "it hung up" }, { unanswered: true });

  test("operate() says that it is applied where a step is seen a moment after its answer was lost", async () => {
    const w = await world();
    const at = await w.create();
    let happen: (() => Promise<void>) | undefined;
    let looks = 0;
    const lost = applying(w.ports, async (real, vm, change, context) => {
      happen = () => real(vm, change, { ...context, signal: new AbortController().signal });
      throw unanswered();
    });
    const late = {
      ...lost,
      backend: {
        ...lost.backend,
        async observe(...given: Parameters<typeof lost.backend.observe>) {
          if (happen && ++looks === 2) await happen();
          return lost.backend.observe(...given);
        },
      },
    };
    expect((await perform(late, at, (now) => [orderChange(now, "hd")])).changed).toBe(true);
    expect(looks).toBeGreaterThanOrEqual(2);
    expect(await w.store.record(at)).toMatchObject({ requestedOrder: "hd" });
  });

  test("operate() does not say that it undid a step that may still happen", async () => {
    const w = await world();
    const at = await w.create();
    const lost = applying(w.ports, () => Promise.reject(unanswered()));
    const error = await refused(
      "OUTCOME_UNKNOWN",
      perform(lost, at, (now) => [orderChange(now, "hd")]),
    );
    edit(w, at.uuid, { boot: presetBoot("hd") });
    expect((await perform(w.ports, at, (now) => [orderChange(now, "hd")])).changed).toBe(false);
    expect(await w.store.operation(error.details.operation)).toMatchObject({ status: "applied" });
  });

  test("operate() says OUTCOME_UNKNOWN of a step that has not returned in its time, since it may still happen", async () => {
    const w = await world();
    const at = await w.create();
    let answer = () => {};
    const hanging = applying(w.ports, async (real, vm, change, context) => {
      await new Promise<void>((resolve) => {
        answer = resolve;
      });
      await real(vm, change, { ...context, signal: new AbortController().signal });
    });
    const error = await refused(
      "OUTCOME_UNKNOWN",
      perform(hanging, at, (now) => [orderChange(now, "hd")]),
    );
    expect(await w.store.operation(error.details.operation)).toMatchObject({ status: "unknown" });
    answer();
    await expect.poll(async () => orderIn(await w.look(at))).toBe("hd");
    expect((await perform(w.ports, at, (now) => [orderChange(now, "hd")])).changed).toBe(false);
    expect(await w.store.record(at)).toMatchObject({ requestedOrder: "hd" });
  });
});
