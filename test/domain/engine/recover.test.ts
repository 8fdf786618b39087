// @module-tag long
/** A process may end at any moment. Goal: whatever it left behind, the next look settles it, the VM is either as it was
 * or as it was asked to be, and the record agrees. Method: an operation is run again and again, each time stopped at
 * another call on its ports, before or after the call, with every later call failing too; then another one follows on
 * the same store and backend. What ends in the middle of one store call is tested with the store. */
import { describe, expect, test } from "vitest";
import type { Change } from "../../../src/domain/changes/catalogue.ts";
import { transitionChanges } from "../../../src/domain/changes/installation.ts";
import { recover } from "../../../src/domain/engine/recover.ts";
import { bootOrderOf } from "../../../src/domain/model/boot-order.ts";
import type { State } from "../../../src/domain/model/state.ts";
import type { Target } from "../../../src/domain/model/vm.ts";
import { isos, orderChange, type World, world } from "../../support/world.ts";
import { refused } from "../fixture.ts";
import { left } from "./abandoned-operation.ts";
import { around, perform, refusing } from "./faults.ts";

const attach: Change = { kind: "media.set", drive: "sda", force: false, next: isos.installer };
const threeSteps = (now: State): Change[] => [attach, orderChange(now, "hd"), ...transitionChanges(now, "complete")];
const look = { isoPaths: [isos.installer] };
const meaningOf = ({ vm, record }: State) => ({
  order: vm && record && bootOrderOf(vm.next, record.roles).order,
  medium: vm?.next.drives[0]?.path,
  tag: vm?.claim?.status,
  status: record?.status,
  asked: record?.requestedOrder,
});
const before = { order: "cdrom_hd", medium: undefined, tag: "NotInstalled", status: "NotInstalled", asked: "cdrom_hd" };
const goal = { order: "hd", medium: isos.installer, tag: "Installed", status: "Installed", asked: "hd" };

class Ended extends Error {}

/** Runs it until the nth call on the ports, where the process ends. False: it came to its end before. */
async function endAt(w: World, at: Target, nth: number, when: "before" | "after", fails: boolean): Promise<boolean> {
  let calls = 0;
  let ended = false;
  const end = () => {
    if (ended) throw new Ended();
  };
  // A claim ends with its process, which this one is: it is left out.
  const step = (now: "before" | "after") => (call: string) => {
    end();
    if (call !== "claim") ended = when === now && ++calls === nth;
    end();
  };
  const ports = around(fails ? refusing(w.ports, "claim.write") : w.ports, {
    before: step("before"),
    after: step("after"),
  });
  await perform(ports, at, threeSteps, { look }).catch(() => undefined);
  return ended;
}

const openOn = async (w: World, at: Target) => (await w.store.open(at)).length;
const lookOnly: Change[] = [];

describe.each([
  { what: "succeeds", fails: false, ends: [before, goal] },
  { what: "fails at its last step", fails: true, ends: [before] },
])("an operation that $what", ({ fails, ends }) => {
  test.each(["before", "after"] as const)(
    "recover() settles it whatever call it ended %s",
    async (when) => {
      const seen = new Set<string>();
      let nth = 1;
      for (; nth < 60; nth++) {
        const w = await world();
        const at = await w.create();
        const ended = await endAt(w, at, nth, when, fails);
        await perform(w.ports, at, lookOnly);
        const now = meaningOf(await w.look(at));
        expect(ends, `ended ${when} call ${nth}`).toContainEqual(now);
        expect(await openOn(w, at), `ended ${when} call ${nth}`).toBe(0);
        seen.add(String(now.order));
        // Nothing of it stands in the way of what comes next.
        expect((await perform(w.ports, at, (state) => [orderChange(state, "hd_cdrom")])).changed).toBe(true);
        if (!ended) break;
      }
      expect(nth).toBeGreaterThan(8);
      expect(nth).toBeLessThan(60);
      expect(seen.size).toBe(ends.length);
    },
    240_000,
  );
});

const toHd = (now: State) => [orderChange(now, "hd")];

describe("recover()", () => {
  test("recover() goes forwards where the goal is there to be seen", async () => {
    const w = await world();
    const at = await w.create();
    const operation = await left(w, at, toHd, {}, ["applying"]);
    await w.backend.apply((await w.look(at)).vm, operation.steps[0]!.change, {
      signal: new AbortController().signal,
      progress: () => {},
    });
    expect(await recover(w.ports, operation)).toEqual({ status: "applied" });
    expect((await w.look(at)).record?.requestedOrder).toBe("hd");
    expect((await w.store.events()).at(-1)?.event.type).toBe("boot_order.changed");
  });

  test("recover() goes back where it is not", async () => {
    const w = await world();
    const at = await w.create();
    const operation = await left(w, at, toHd, {}, ["applying"]);
    expect(await recover(w.ports, operation)).toMatchObject({
      status: "rolled_back",
      error: { message: expect.stringContaining("ended before the operation did") },
    });
    expect((await w.look(at)).record?.requestedOrder).toBe("cdrom_hd");
  });

  test("recover() goes on backwards with what was going backwards", async () => {
    const w = await world();
    const at = await w.create();
    const operation = await left(w, at, toHd, { direction: "back" }, ["done"]);
    await w.backend.apply((await w.look(at)).vm, operation.steps[0]!.change, {
      signal: new AbortController().signal,
      progress: () => {},
    });
    expect(await recover(w.ports, operation)).toMatchObject({ status: "rolled_back" });
    expect(meaningOf(await w.look(at)).order).toBe("cdrom_hd");
  });

  test("recover() only goes forwards once a file is gone", async () => {
    const w = await world();
    const at = await w.create();
    const state = await w.look(at);
    const path = state.vm!.next.disks[0]!.path!;
    const second = "/memory/images/second.qcow2";
    const rest = await left(
      w,
      at,
      () => [{ kind: "vm.delete" }, { kind: "disk.delete", path }, { kind: "disk.delete", path: second }],
      {},
      ["done", "done"],
    );
    w.session.machines.delete(at.uuid);
    w.session.files.delete(path);
    expect(await recover(w.ports, rest)).toEqual({ status: "applied" });
    expect(await w.store.record(at)).toBeUndefined();
  });

  test("recover() brings back the definition of a VM whose files are still there", async () => {
    const w = await world();
    const at = await w.create();
    const path = (await w.look(at)).vm!.next.disks[0]!.path!;
    const operation = await left(w, at, () => [{ kind: "vm.delete" }, { kind: "disk.delete", path }], {}, [
      "done",
      "applying",
    ]);
    w.session.machines.delete(at.uuid);
    expect(await recover(w.ports, operation)).toMatchObject({ status: "rolled_back" });
    expect(meaningOf(await w.look(at))).toEqual(before);
  });

  test("recover() stops when it is told to before it looked", async () => {
    const w = await world();
    const at = await w.create();
    const operation = await left(w, at, toHd, {}, ["applying"]);
    await expect(recover(w.ports, operation, AbortSignal.abort())).rejects.toThrow();
    expect((await w.store.operation(operation.id))?.status).toBe("begun");
  });
});

describe("operate() with an unknown outcome", () => {
  test("operate() says OUTCOME_UNKNOWN when nobody can look, and changes nothing more until somebody has", async () => {
    const w = await world();
    const at = await w.create();
    let away = false;
    let applied = 0;
    const flaky = around(w.ports, {
      before: (call) => {
        if (away && call === "observe") throw new Error("Cannot recv data: Connection reset by peer");
        if (call.startsWith("apply")) applied++;
      },
      after: (call) => {
        if (call === "apply boot_order.set") away = true;
      },
    });
    const first = await refused("OUTCOME_UNKNOWN", perform(flaky, at, toHd));
    expect(first.details.reason).toContain("Connection reset");
    const operation = first.details.operation;
    expect(await w.store.operation(operation)).toMatchObject({ status: "unknown" });
    expect((await w.store.record(at))?.requestedOrder).toBe("cdrom_hd");

    const second = await refused(
      "OUTCOME_UNKNOWN",
      perform(flaky, at, (now) => [orderChange(now, "hd_cdrom")]),
    );
    expect(second.details.operation).toBe(operation);
    expect(applied).toBe(1);

    away = false;
    expect((await perform(flaky, at, toHd)).changed).toBe(false);
    expect(await w.store.operation(operation)).toMatchObject({ status: "applied" });
    expect((await w.store.record(at))?.requestedOrder).toBe("hd");
    const types = (await w.store.events()).map(({ event }) => event.type);
    expect(types.filter((type) => type === "operation.unknown")).toHaveLength(1);
    expect(types.at(-1)).toBe("boot_order.changed");
  });
});
