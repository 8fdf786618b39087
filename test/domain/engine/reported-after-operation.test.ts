/** What an operation settles with counts as told. Goal: what happened beside it is told all the same, and nothing twice.
 * Method: a world that is looked at by a watcher before and after an operation, in which others act at chosen moments. */
import { describe, expect, test } from "vitest";
import type { Change } from "../../../src/domain/changes/catalogue.ts";
import { watchConnection } from "../../../src/domain/events/watch.ts";
import type { Target } from "../../../src/domain/model/vm.ts";
import { guestEjects, guestPowersOff, insertLive, setIdentity } from "../../support/simulator.ts";
import { isos, orderChange, type World, world } from "../../support/world.ts";
import { AT, refused } from "../fixture.ts";
import { applying, perform } from "./faults.ts";
import { edit } from "./three-steps.ts";

const start: Change = { kind: "power.start", purpose: "live", at: AT };
const stop: Change = { kind: "power.stop", force: true, timeoutMs: 0 };
const look = { isoPaths: [isos.live, isos.installer] };

/** One look of a watcher at everything, and the types of the events that came since the last one. */
async function lookAround(w: World): Promise<string[]> {
  const ending = new AbortController();
  const { backend, store, newId, now } = w.ports;
  const { events: _none, ...silent } = backend;
  let looks = 0;
  const counted = {
    ...silent,
    list: async (signal?: AbortSignal) => {
      looks += 1;
      return silent.list(signal);
    },
  };
  const log = () => {};
  const running = watchConnection(
    { connection: "local", backend: async () => counted, store, newId, now, log, everyMs: 5 },
    ending.signal,
  );
  // What a look finds has been told before the next one begins.
  await expect.poll(() => looks).toBeGreaterThan(2);
  ending.abort();
  await running;
  return reportedTypes(w);
}
const places = new WeakMap<World, number>();
async function reportedTypes(w: World): Promise<string[]> {
  const events = await w.store.events(places.get(w) ?? 0);
  places.set(w, events.at(-1)?.seq ?? places.get(w) ?? 0);
  return events.map(({ event: { type, data } }) => (type === "vm.changed_elsewhere" ? `${type} ${data.what}` : type));
}

async function running(w: World): Promise<Target> {
  const at = await w.create({ isoPath: isos.live });
  await perform(w.ports, at, [start], { look });
  await lookAround(w);
  return at;
}

/** The ports with something that another does right after a change of this kind. */
const rightAfter = (w: World, kind: Change["kind"], act: () => void) =>
  applying(w.ports, async (real, vm, change, context) => {
    await real(vm, change, context);
    if (change.kind === kind) act();
  });

describe("a settled operation", () => {
  test("leaves nothing to be told of what it did itself", async () => {
    const w = await world();
    const at = await running(w);
    await perform(
      w.ports,
      at,
      [{ kind: "media.set", drive: "sda", force: true, next: isos.installer, live: isos.installer }],
      {
        look,
      },
    );
    await w.agree(at, () => [stop]);
    await perform(w.ports, at, [start], { look });
    expect(await reportedTypes(w)).toEqual(["media.attached", "vm.stopped", "vm.started"]);
    expect(await lookAround(w)).toEqual([]);
  });

  test("tells what happened before it and had not been told, before what it did", async () => {
    const w = await world();
    const at = await running(w);
    guestPowersOff(w.session, at.uuid);
    edit(w, at.uuid, { cpus: 7 });
    await perform(w.ports, at, (now) => [orderChange(now, "hd_cdrom")]);
    expect(await reportedTypes(w)).toEqual(["vm.stopped", "vm.changed_elsewhere redefined", "boot_order.changed"]);
    expect(await lookAround(w)).toEqual([]);
  });

  test("does not keep a guest's end from being told that came while it was under way", async () => {
    const w = await world();
    const at = await running(w);
    await perform(
      rightAfter(w, "boot_order.set", () => guestPowersOff(w.session, at.uuid)),
      at,
      (now) => [orderChange(now, "hd_cdrom")],
    );
    expect(await reportedTypes(w)).toEqual(["boot_order.changed"]);
    expect(await lookAround(w)).toEqual(["vm.stopped"]);
  });

  test("does not keep another program's edit from being told that came after its own", async () => {
    const w = await world();
    const at = await running(w);
    const changes = (now: Parameters<typeof orderChange>[0]) => [orderChange(now, "hd_cdrom"), stop];
    const raced = rightAfter(w, "power.stop", () => edit(w, at.uuid, { cpus: 7 }));
    const { confirm } = (await refused("CONFIRMATION_REQUIRED", perform(raced, at, changes))).details;
    await perform(raced, at, changes, { confirm });
    expect(await reportedTypes(w)).toEqual(["boot_order.changed", "vm.stopped"]);
    expect(await lookAround(w)).toEqual(["vm.changed_elsewhere redefined"]);
  });

  test("that is no change of a medium or name does not keep one from being told", async () => {
    const w = await world();
    const at = await running(w);
    const acts = () => {
      insertLive(w.session, at.uuid, "sda", isos.data);
      setIdentity(w.session, at.uuid, { name: "db" });
    };
    await perform(rightAfter(w, "boot_order.set", acts), at, (now) => [orderChange(now, "hd_cdrom")]);
    expect(await reportedTypes(w)).toEqual(["boot_order.changed"]);
    expect(await lookAround(w)).toEqual(["vm.changed_elsewhere media", "vm.changed_elsewhere renamed"]);
  });

  test("does not keep a tray from being told that the guest opened meanwhile", async () => {
    const w = await world();
    const at = await running(w);
    const opens = rightAfter(w, "boot_order.set", () => guestEjects(w.session, at.uuid, "sda"));
    await perform(opens, at, (now) => [orderChange(now, "hd_cdrom")]);
    await reportedTypes(w);
    expect(await lookAround(w)).toEqual(["media.ejected_by_guest"]);
  });

  test("that was undone leaves nothing to be told, and what happened beside it is", async () => {
    const w = await world();
    const at = await running(w);
    const failing = applying(w.ports, async (real, vm, change, context) => {
      if (change.kind === "claim.write") {
        guestPowersOff(w.session, at.uuid);
        throw new Error("no");
      }
      await real(vm, change, context);
    });
    const tag = { uuid: at.uuid, revision: 9, status: "Installed" as const };
    const changes = (now: Parameters<typeof orderChange>[0]): Change[] => [
      orderChange(now, "hd_cdrom"),
      { kind: "claim.write", tag },
    ];
    await expect(perform(failing, at, changes)).rejects.toThrow("no");
    expect(await reportedTypes(w)).toEqual(["operation.rolled_back"]);
    expect(await lookAround(w)).toEqual(["vm.stopped"]);
  });
});
