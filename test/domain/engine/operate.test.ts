import { describe, expect, test } from "vitest";
import type { Change } from "../../../src/domain/changes/catalogue.ts";
import { transitionChanges } from "../../../src/domain/changes/installation.ts";
import { bootOrderOf } from "../../../src/domain/model/boot-order.ts";
import type { State } from "../../../src/domain/model/state.ts";
import { editDefinition, passTime } from "../../support/simulator.ts";
import { isos, orderChange, world } from "../../support/world.ts";
import { AT, ableToNothing, refused } from "../fixture.ts";
import { applying, perform, recordCalls } from "./faults.ts";

const start: Change = { kind: "power.start", purpose: "live", at: AT };
const cut: Change = { kind: "power.stop", force: true, timeoutMs: 0 };
const attach: Change = { kind: "media.set", drive: "sda", force: false, next: isos.installer };
const toHd = (now: State) => [orderChange(now, "hd")];
const orderIn = (now: State) => bootOrderOf(now.vm!.next, now.record!.roles).order;

describe("operate() flow", () => {
  test("operate() claims, looks, records, touches, looks and settles, in this order", async () => {
    const w = await world();
    const at = await w.create();
    const { ports, calls } = recordCalls(w.ports);
    const outcome = await perform(ports, at, toHd);
    expect(calls).toEqual([
      "claim",
      "observe",
      "exportDefinition",
      "begin",
      "apply boot_order.set",
      "observe",
      "settle",
    ]);
    expect(outcome).toMatchObject({ changed: true, plan: { takesEffect: "now" } });
    expect(orderIn(outcome.before)).toBe("cdrom_hd");
    expect(orderIn(outcome.after)).toBe("hd");
    expect(outcome.after.record).toMatchObject({ requestedOrder: "hd", seen: { bootOrder: "hd" } });
  });

  test("operate() says which operation it is once that is on record, before anything is touched", async () => {
    const w = await world();
    const at = await w.create();
    const { ports, calls } = recordCalls(w.ports);
    const begun = (id: string) => void calls.push(`begun ${id}`);
    const { operation } = await perform(ports, at, toHd, { begun });
    expect(calls.slice(3, 6)).toEqual(["begin", `begun ${operation}`, "apply boot_order.set"]);
    expect((await perform(ports, at, toHd, { begun })).changed).toBe(false);
    expect(calls.filter((call) => call.startsWith("begun"))).toHaveLength(1);
  });

  test("operate() looks after every step, and records each before it is made", async () => {
    const w = await world();
    const at = await w.create();
    const { ports, calls } = recordCalls(w.ports);
    await perform(ports, at, (now) => [attach, orderChange(now, "hd_cdrom")], { look: { isoPaths: [isos.installer] } });
    expect(calls.slice(3)).toEqual([
      "begin",
      "apply media.set",
      "observe",
      "advance",
      "apply boot_order.set",
      "observe",
      "settle",
    ]);
  });

  test("operate() writes the outcome, the record and the events together", async () => {
    const w = await world();
    const at = await w.create();
    const { operation } = await perform(w.ports, at, toHd);
    const settled = await w.store.operation(operation!);
    expect(settled).toMatchObject({
      status: "applied",
      what: "test_tool",
      actor: "test",
      direction: "forward",
      steps: [{ status: "done" }],
    });
    expect(settled?.definition).toBeTypeOf("string");
    expect(await w.store.record(at)).toMatchObject({ requestedOrder: "hd" });
    const [event] = (await w.store.events())
      .map(({ event: one }) => one)
      .filter(({ type }) => type === "boot_order.changed");
    expect(event).toMatchObject({
      id: `${operation}:0`,
      subject: at.uuid,
      data: { from: "cdrom_hd", to: "hd", operation, actor: "test", name: "web" },
    });
  });

  test("operate() says changed: false and records no operation for what is so already", async () => {
    const w = await world();
    const at = await w.create();
    const { ports, calls } = recordCalls(w.ports);
    const outcome = await perform(ports, at, (now) => [orderChange(now, "cdrom_hd")]);
    expect(outcome).toMatchObject({ changed: false, plan: { steps: [] } });
    expect(outcome).not.toHaveProperty("operation");
    expect(calls).toEqual(["claim", "observe"]);
  });

  test("operate() leaves the backend alone where only the record changes", async () => {
    const w = await world();
    const at = await w.create();
    const { ports, calls } = recordCalls(w.ports);
    const outcome = await perform(ports, at, [{ kind: "installation.set", transition: "complete" }]);
    expect(calls.filter((call) => call.startsWith("apply"))).toEqual([]);
    expect(outcome.after.record?.status).toBe("Installed");
  });

  test("operate() gives back its claim whatever happens", async () => {
    const w = await world({ claimWaitMs: 0 });
    const at = await w.create();
    await refused(
      "CHANGE_UNSUPPORTED",
      perform({ ...w.ports, backend: { ...w.backend, capabilities: ableToNothing } }, at, toHd),
    );
    await refused(
      "DISK_EXISTS",
      perform(w.ports, at, [{ kind: "disk.create", path: "/memory/images/x.qcow2", sizeBytes: 1 }]),
    );
    await expect(
      perform(w.ports, at, () => {
        throw new TypeError("a defect");
      }),
    ).rejects.toThrow(TypeError);
    expect((await perform(w.ports, at, toHd)).changed).toBe(true);
  });

  test("operate() runs two changes of one VM one after the other", async () => {
    const w = await world({ claimWaitMs: 60_000 });
    const at = await w.create();
    const running: string[] = [];
    const { promise: bothAsked, resolve: goOn } = Promise.withResolvers<void>();
    const slow = applying(w.ports, async (real, vm, change, context) => {
      running.push("in");
      await real(vm, change, context);
      await bothAsked;
      running.push("out");
    });
    let claims = 0;
    const store = {
      ...w.store,
      claim: (...given: Parameters<typeof w.store.claim>) => {
        if (++claims === 2) goOn();
        return w.store.claim(...given);
      },
    };
    const to = (order: "hd" | "hd_cdrom") => perform({ ...slow, store }, at, (now) => [orderChange(now, order)]);
    await Promise.all([to("hd"), to("hd_cdrom")]);
    expect(running).toEqual(["in", "out", "in", "out"]);
    expect((await w.look(at)).record?.requestedOrder).toBe("hd_cdrom");
  });

  test("operate() refuses with VM_BUSY and who it is, when it may not wait", async () => {
    const w = await world({ claimWaitMs: 0 });
    const at = await w.create();
    const claim = await w.store.claim(at, { actor: "cli", what: "start_vm" }, 0);
    const error = await refused("VM_BUSY", perform(w.ports, at, toHd));
    expect(error.details).toMatchObject({ vm: "web", holder: "cli", what: "start_vm" });
    await claim.release();
  });
});

describe("operate() dry run", () => {
  test("operate() touches nothing in a dry run, takes no claim and asks for no confirmation", async () => {
    const w = await world({ claimWaitMs: 0 });
    const at = await w.create();
    await perform(w.ports, at, [start], { accept: ["NOTHING_BOOTS"] });
    const claim = await w.store.claim(at, { actor: "cli", what: "start_vm" }, 0);
    const { ports, calls } = recordCalls(w.ports);
    const outcome = await perform(ports, at, [cut], { dryRun: true });
    expect(calls).toEqual(["observe"]);
    expect(outcome).toMatchObject({ changed: true, plan: { losses: [expect.stringContaining("memory")] } });
    expect(outcome.after.vm?.power).toBe("off");
    expect((await w.look(at)).vm?.power).toBe("running");
    await claim.release();
  });

  test("operate() refuses in a dry run what it would refuse", async () => {
    const w = await world();
    const at = await w.create();
    await refused("BLOCKED_BY_FINDINGS", perform(w.ports, at, [start], { dryRun: true }));
    expect((await perform(w.ports, at, (now) => [orderChange(now, "cdrom_hd")], { dryRun: true })).changed).toBe(false);
  });
});

describe("operate() confirmation", () => {
  const runningVm = async (options: Parameters<typeof world>[0] = {}) => {
    const w = await world(options);
    const at = await w.create();
    const go = () => perform(w.ports, at, [start], { accept: ["NOTHING_BOOTS"] });
    await go();
    const offer = async (subject = "stop_vm {}") =>
      (await refused("CONFIRMATION_REQUIRED", perform(w.ports, at, [cut], { subject }))).details;
    return { w, at, go, offer };
  };

  test("operate() asks before something is lost, and says what", async () => {
    const { w, at, offer } = await runningVm();
    const { losses, confirm, expiresAt } = await offer();
    expect(losses).toEqual([expect.stringContaining("memory")]);
    expect(Date.parse(expiresAt)).toBeGreaterThan(Date.now());
    expect((await w.look(at)).vm?.power).toBe("running");
    expect((await perform(w.ports, at, [cut], { confirm, subject: "stop_vm {}" })).after.vm?.power).toBe("off");
  });

  test("operate() takes a confirmation once", async () => {
    const { w, at, go, offer } = await runningVm();
    const { confirm } = await offer();
    await perform(w.ports, at, [cut], { confirm, subject: "stop_vm {}" });
    await go();
    await refused("CONFIRMATION_INVALID", perform(w.ports, at, [cut], { confirm, subject: "stop_vm {}" }));
    expect((await w.look(at)).vm?.power).toBe("running");
  });

  test("operate() takes a confirmation only for the arguments it was given for", async () => {
    const { w, at, offer } = await runningVm();
    const { confirm } = await offer();
    await refused(
      "CONFIRMATION_INVALID",
      perform(w.ports, at, [cut], { confirm, subject: 'delete_vm {"force":true}' }),
    );
    await refused(
      "CONFIRMATION_INVALID",
      perform(w.ports, at, [cut, { kind: "vm.delete" }], { confirm, subject: "stop_vm {}" }),
    );
  });

  test("operate() takes a confirmation only for the VM it was given for", async () => {
    const { w, offer } = await runningVm();
    const { confirm } = await offer();
    const other = await w.create({ name: "db" });
    await perform(w.ports, other, [start], { accept: ["NOTHING_BOOTS"] });
    await refused("CONFIRMATION_INVALID", perform(w.ports, other, [cut], { confirm, subject: "stop_vm {}" }));
  });

  test("operate() takes a confirmation only while the VM is as it was", async () => {
    const { w, at, offer } = await runningVm();
    const { confirm } = await offer();
    editDefinition(w.session, at.uuid, (next) => ({ ...next, cpus: 7 }));
    await refused("CONFIRMATION_INVALID", perform(w.ports, at, [cut], { confirm, subject: "stop_vm {}" }));
    expect((await w.look(at)).vm?.power).toBe("running");
  });

  test("operate() takes no confirmation for another run of the VM", async () => {
    const { w, at, go, offer } = await runningVm();
    const first = await offer();
    const second = await offer();
    await perform(w.ports, at, [cut], { confirm: first.confirm, subject: "stop_vm {}" });
    await go();
    await refused(
      "CONFIRMATION_INVALID",
      perform(w.ports, at, [cut], { confirm: second.confirm, subject: "stop_vm {}" }),
    );
  });

  test("operate() takes no confirmation after five minutes", async () => {
    let now = Date.parse(AT);
    const { w, at, offer } = await runningVm({ now: () => new Date(now) });
    const { confirm } = await offer();
    now += 5 * 60_000 + 1;
    await refused("CONFIRMATION_INVALID", perform(w.ports, at, [cut], { confirm, subject: "stop_vm {}" }));
  });

  test("operate() takes nothing made up for a confirmation", async () => {
    const { w, at } = await runningVm();
    await refused("CONFIRMATION_INVALID", perform(w.ports, at, [cut], { confirm: "yes", subject: "stop_vm {}" }));
  });
});

describe("operate() from an installer to the disk", () => {
  test("operate() carries a VM through an installation", async () => {
    const w = await world({ config: { installsAfterMs: 1_000 } });
    const at = await w.create({ isoPath: isos.installer });
    const installing = await perform(w.ports, at, (now) => [
      ...transitionChanges(now, "start_installation"),
      { ...start, purpose: "install" },
    ]);
    expect(installing.after.record).toMatchObject({
      status: "Installing",
      currentRun: { device: "cdrom", purpose: "install" },
    });
    passTime(w.session, 2_000);
    const done = await perform(w.ports, at, (now) => [
      orderChange(now, "hd"),
      { kind: "media.set", drive: "sda", force: true },
      ...transitionChanges(now, "complete"),
    ]);
    expect(done.after.record).toMatchObject({ status: "Installed", requestedOrder: "hd" });
    expect(done.after.vm?.claim).toMatchObject({ status: "Installed", revision: done.after.record!.revision });
    expect(done.plan.takesEffect).toBe("next_start");
  });

  test("operate() removes the record of a VM that another program removed", async () => {
    const w = await world();
    const at = await w.create();
    w.session.machines.delete(at.uuid);
    expect((await perform(w.ports, at, [{ kind: "vm.delete" }])).changed).toBe(true);
    expect(await w.store.record(at)).toBeUndefined();
  });
});
