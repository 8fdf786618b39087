/** What another program sets while an operation is under way, or after its process has ended, is not this operation's to
 * put back. */
import { describe, expect, test } from "vitest";
import type { Change } from "../../../src/domain/changes/catalogue.ts";
import { restoreChangeOf } from "../../../src/domain/changes/restore.ts";
import { recover } from "../../../src/domain/engine/recover.ts";
import { DomainError } from "../../../src/domain/error.ts";
import { bootWith } from "../../../src/domain/model/boot-order.ts";
import type { State } from "../../../src/domain/model/state.ts";
import { defineVm, undefineVm } from "../../support/simulator.ts";
import { isos, orderChange, world } from "../../support/world.ts";
import { AT, refused } from "../fixture.ts";
import { left } from "./abandoned-operation.ts";
import { applying, perform, refusing } from "./faults.ts";
import { edit, look, orderIn } from "./three-steps.ts";

const start: Change = { kind: "power.start", purpose: "normal", at: AT };
const stop: Change = { kind: "power.stop", force: true, timeoutMs: 0 };
const signal = new AbortController().signal;
const orderOf = ({ vm, record }: State, order: "cdrom" | "hd_cdrom") => ({
  boot: bootWith(vm!.next, record!.roles, order),
});

/** A VM that was stopped, to be started again with another order, when the process ended. */
async function stoppedForRestart() {
  const w = await world();
  const at = await w.create({ isoPath: isos.installer });
  await perform(w.ports, at, [start], { look: { isoPaths: [isos.installer] } });
  const restart = (now: State) => [stop, orderChange(now, "hd_cdrom"), start];
  const operation = await left(w, at, restart, {}, ["done", "applying"]);
  await w.backend.apply((await w.look(at)).vm, stop, { signal, progress: () => {} });
  return { w, at, operation };
}

describe("recover()", () => {
  test("recover() leaves an order that another program set since, and says that it is neither", async () => {
    const w = await world();
    const at = await w.create();
    const operation = await left(w, at, (now) => [orderChange(now, "hd")], {}, ["applying"]);
    edit(w, at.uuid, orderOf(await w.look(at), "cdrom"));
    expect(await recover(w.ports, operation)).toMatchObject({
      status: "rollback_failed",
      error: { message: expect.stringContaining("another program") },
    });
    expect(orderIn(await w.look(at))).toBe("cdrom");
  });

  test("recover() leaves a medium that another program inserted since", async () => {
    const w = await world();
    const at = await w.create();
    const attach: Change = { kind: "media.set", drive: "sda", force: false, next: isos.installer };
    const operation = await left(w, at, () => [attach], {}, ["applying"]);
    const [drive] = (await w.look(at)).vm!.next.drives;
    edit(w, at.uuid, { drives: [{ ...drive!, path: isos.live }] });
    expect((await recover(w.ports, operation)).status).toBe("rollback_failed");
    expect((await w.look(at)).vm?.next.drives[0]?.path).toBe(isos.live);
  });

  test("recover() does not say that a definition is as before that was put back otherwise", async () => {
    const w = await world();
    const at = await w.create();
    const kept = (await perform(w.ports, at, (now) => [orderChange(now, "hd")])).operation!;
    const restore = restoreChangeOf((await w.store.operation(kept))!)!;
    const operation = await left(w, at, () => [restore], {}, ["applying"]);
    edit(w, at.uuid, { cpus: 7 });
    expect((await recover(w.ports, operation)).status).toBe("rollback_failed");
    expect((await w.look(at)).vm?.next.cpus).toBe(7);
  });

  test("recover() says so where a VM that was gone is there, and not as it was to be put back", async () => {
    const w = await world();
    const at = await w.create();
    const kept = (await perform(w.ports, at, (now) => [orderChange(now, "hd")])).operation!;
    const { name, next } = (await w.look(at)).vm!;
    const restore = restoreChangeOf((await w.store.operation(kept))!)!;
    undefineVm(w.session, at.uuid);
    const operation = await left(w, at, () => [restore], {}, ["applying"]);
    defineVm(w.session, { uuid: at.uuid, name, next });
    expect((await recover(w.ports, operation)).status).toBe("rollback_failed");
    expect((await w.look(at)).vm).toBeDefined();
  });

  test("recover() sets what was to be set on the way, and starts a VM again that was stopped for a restart", async () => {
    const { w, at, operation } = await stoppedForRestart();
    expect(await recover(w.ports, operation)).toEqual({ status: "applied" });
    const now = await w.look(at);
    expect([now.vm?.power, orderIn(now)]).toEqual(["running", "hd_cdrom"]);
  });

  test("recover() leaves a VM off where another program set since what was to be set on the way", async () => {
    const { w, at, operation } = await stoppedForRestart();
    edit(w, at.uuid, orderOf(await w.look(at), "cdrom"));
    expect((await recover(w.ports, operation)).status).toBe("rollback_failed");
    const now = await w.look(at);
    expect([now.vm?.power, orderIn(now)]).toEqual(["off", "cdrom"]);
  });
});

describe("operate()", () => {
  test("operate() does not put back an order that another program set before it was seen", async () => {
    const w = await world();
    const at = await w.create();
    const raced = applying(w.ports, async (real, vm, change, context) => {
      await real(vm, change, context);
      edit(w, at.uuid, orderOf(await w.look(at), "cdrom"));
    });
    await refused(
      "ROLLBACK_FAILED",
      perform(raced, at, (now) => [orderChange(now, "hd")]),
    );
    expect(orderIn(await w.look(at))).toBe("cdrom");
  });

  test("operate() does not take an edit for its own that was made while the guest shut down", async () => {
    const w = await world();
    const at = await w.create({ isoPath: isos.installer });
    await perform(w.ports, at, [start], { look: { isoPaths: [isos.installer] } });
    const failing = refusing(
      w.ports,
      "power.start",
      () =>
        new DomainError("BACKEND_FAILED", {
          connection: "local",
          change: "power.start",
          reason: "no",
        }),
    );
    const raced = applying(failing, async (real, vm, change, context) => {
      await real(vm, change, context);
      if (change.kind === "power.stop") edit(w, at.uuid, orderOf(await w.look(at), "cdrom"));
    });
    const restart = (now: State) => [orderChange(now, "hd_cdrom"), stop, start];
    const { confirm } = (await refused("CONFIRMATION_REQUIRED", perform(raced, at, restart, { look }))).details;
    await refused("ROLLBACK_FAILED", perform(raced, at, restart, { look, confirm }));
    expect(orderIn(await w.look(at))).toBe("cdrom");
  });
});
