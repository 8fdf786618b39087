import { describe, expect, it, onTestFinished } from "vitest";
import { watchConnection } from "../../../src/domain/events/watch.ts";
import type { Backend } from "../../../src/domain/ports/backend.ts";
import type { Hint } from "../../../src/domain/ports/backend-groups.ts";
import { skipAhead } from "../../support/clock.ts";
import { defineVm, editDefinition, guestPowersOff, setIdentity, undefineVm } from "../../support/simulator.ts";
import { isos, world as openWorld, vmDefinition, type World } from "../../support/world.ts";

const start = { kind: "power.start", purpose: "live", at: "2026-11-25T10:00:00.000Z" } as const;
const HOUR_MS = 3_600_000;
/** Two clocks, each read in whole milliseconds. */
const ROUNDED_MS = 2;
const typesIn = async (world: World) => (await world.store.events()).map(({ event }) => event.type);

const ended = (signal: AbortSignal | undefined) =>
  new Promise<never>((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason)));

/** Watches the world's connection; `tell` is what the hypervisor says. */
async function watching(world: World, more: Partial<Backend> = {}) {
  const ending = new AbortController();
  const senders: ((hint: Hint) => void)[] = [];
  const backend: Backend = {
    ...world.backend,
    events: {
      watch(sendHint, signal) {
        senders.push(sendHint);
        sendHint({});
        return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
      },
    },
    ...more,
  };
  const { newId, now, store } = world.ports;
  const logged: string[] = [];
  const log = (message: string) => void logged.push(message);
  const options = { connection: "local", backend: async () => backend, store, newId, now, log, retryMs: 10 };
  const running = watchConnection(options, ending.signal);
  const end = async () => {
    ending.abort();
    await running;
  };
  onTestFinished(end);
  const sendHint = (hint: Hint) => {
    for (const teller of senders) teller(hint);
  };
  return { sendHint, logged, end };
}

describe("watchConnection()", () => {
  it("tells what the guest did itself, once, and never what an operation did", async () => {
    const world = await openWorld();
    const at = await world.create({ isoPath: isos.live, order: "cdrom_hd" });
    const { sendHint } = await watching(world);
    await world.run(at, start);
    await expect.poll(() => world.store.reportedStates("local")).toHaveLength(1);
    sendHint({ uuid: at.uuid });
    guestPowersOff(world.session, at.uuid);
    sendHint({ uuid: at.uuid });
    sendHint({ uuid: at.uuid });
    sendHint({});
    await expect.poll(() => typesIn(world)).toContain("vm.stopped");
    sendHint({});
    expect(await typesIn(world)).toEqual(["vm.created", "vm.started", "vm.stopped"]);
    const [{ event } = expect.unreachable()] = (await world.store.events()).slice(-1);
    expect(event).toMatchObject({ subject: at.uuid, source: "bootwright/local", data: { name: "web", managed: true } });
  });

  it("finds what happened while nobody watched, and tells it once", async () => {
    const world = await openWorld();
    const at = await world.create({ isoPath: isos.live });
    await (await watching(world)).end();
    await world.run(at, start);
    guestPowersOff(world.session, at.uuid);
    setIdentity(world.session, at.uuid, { name: "db" });
    await (await watching(world)).end();
    await watching(world);
    await expect.poll(() => typesIn(world)).toContain("vm.changed_elsewhere");
    expect(await typesIn(world)).toEqual(["vm.created", "vm.started", "vm.stopped", "vm.changed_elsewhere"]);
  });

  it("finds an edit that nothing told of, at a slow pace", async () => {
    const world = await openWorld();
    const at = await world.create({});
    const ending = new AbortController();
    const { newId, now, store } = world.ports;
    const { events: _none, ...silent } = world.backend;
    const options = { connection: "local", backend: async () => silent, store, newId, now, log: () => {}, everyMs: 20 };
    const running = watchConnection(options, ending.signal);
    await expect.poll(() => store.reportedStates("local")).toHaveLength(1);
    editDefinition(world.session, at.uuid, (next) => ({ ...next, cpus: 7 }));
    await expect.poll(() => typesIn(world)).toContain("vm.changed_elsewhere");
    undefineVm(world.session, at.uuid);
    await expect.poll(() => store.reportedStates("local")).toEqual([]);
    ending.abort();
    await running;
    const reported = (await store.events()).slice(1).map(({ event }) => event.data.what);
    expect(reported).toEqual(["redefined", "undefined"]);
  });

  it("waits with its news for the operation that holds the VM", async () => {
    const world = await openWorld();
    const at = await world.create({ isoPath: isos.live });
    await world.run(at, start);
    let looks = 0;
    const { sendHint } = await watching(world, {
      observe: (uuid, signal) => {
        looks += 1;
        return world.backend.observe(uuid, signal);
      },
    });
    await expect.poll(() => world.store.lease("watch:local")).toBe(true);
    const claim = await world.store.claim(at, { actor: "test", what: "test" }, 0);
    const before = looks;
    guestPowersOff(world.session, at.uuid);
    sendHint({ uuid: at.uuid, occurrence: { type: "rebooted", run: "another" } });
    // It has looked at the news and, since it looks again, has kept them.
    await expect.poll(() => looks).toBeGreaterThan(before + 1);
    expect(await typesIn(world)).not.toContain("vm.stopped");
    await claim.release();
    await expect.poll(() => typesIn(world)).toContain("vm.stopped");
  });

  it("tells three resets of one moment as one, and two that are apart as two", async () => {
    const world = await openWorld();
    const at = await world.create({ isoPath: isos.live });
    await world.run(at, start);
    const { sendHint } = await watching(world);
    const { run } = (await world.look(at)).vm!;
    const reset = () => sendHint({ uuid: at.uuid, occurrence: { type: "rebooted", run: run! } });
    const resets = async () => (await typesIn(world)).filter((type) => type === "vm.rebooted").length;
    await expect.poll(() => world.store.reportedStates("local")).toHaveLength(1);
    for (let time = 0; time < 3; time++) reset();
    await expect.poll(() => resets()).toBe(1);
    skipAhead(600);
    reset();
    await expect.poll(() => resets()).toBe(2);
  });

  it("looks at everything again after a connection was lost, and listens again", async () => {
    const world = await openWorld();
    const at = await world.create({ isoPath: isos.live });
    await world.run(at, start);
    let ends: (() => void) | undefined;
    let listened = 0;
    const { logged } = await watching(world, {
      events: {
        watch(sendHint, signal) {
          listened += 1;
          sendHint({});
          return new Promise((resolve, reject) => {
            signal.addEventListener("abort", () => resolve(), { once: true });
            ends = () => reject(new Error("the daemon went away"));
          });
        },
      },
    });
    await expect.poll(() => listened).toBe(1);
    guestPowersOff(world.session, at.uuid);
    ends!();
    await expect.poll(() => typesIn(world)).toContain("vm.stopped");
    await expect.poll(() => listened).toBe(2);
    expect(logged).toEqual(["events: the daemon went away"]);
  });

  it.each([
    ["refuses", () => Promise.reject(new Error("its definition cannot be read"))],
    ["does not answer", () => new Promise<never>(() => {})],
  ])("tells of the other VMs while one of them %s when it is looked at", async (_how, broken) => {
    const world = await openWorld();
    const [bad, good] = [await world.create({ name: "bad" }), await world.create({ name: "good", isoPath: isos.live })];
    await world.run(good, start);
    const { sendHint } = await watching(world, {
      observe: (uuid, signal) =>
        uuid === bad.uuid ? Promise.race([broken(), ended(signal)]) : world.backend.observe(uuid, signal),
    });
    await expect.poll(() => world.store.isWatched("local")).toBe(true);
    for (let hint = 0; hint < 6; hint++) sendHint({ uuid: bad.uuid });
    guestPowersOff(world.session, good.uuid);
    sendHint({ uuid: good.uuid });
    await expect.poll(() => typesIn(world)).toContain("vm.stopped");
  });

  it("says nothing of what was there before it first looked, whatever an operation did meanwhile", async () => {
    const world = await openWorld();
    defineVm(world.session, { uuid: crypto.randomUUID(), name: "theirs", next: vmDefinition(), running: true });
    await world.create({ name: "ours" });
    await watching(world);
    await expect.poll(() => world.store.reportedStates("local")).toHaveLength(2);
    expect(await typesIn(world)).toEqual(["vm.created"]);
  });

  it("tells of a VM on a connection that had none when it first looked", async () => {
    const world = await openWorld();
    const { end } = await watching(world);
    await expect.poll(() => world.store.isWatched("local")).toBe(true);
    await end();
    defineVm(world.session, { uuid: crypto.randomUUID(), name: "theirs", next: vmDefinition() });
    await watching(world);
    await expect.poll(() => typesIn(world)).toEqual(["vm.changed_elsewhere"]);
  });

  it("tells when the hypervisor told of it, however long it was held", async () => {
    const world = await openWorld();
    const at = await world.create({ isoPath: isos.live });
    await world.run(at, start);
    const { sendHint } = await watching(world);
    await expect.poll(() => world.store.isWatched("local")).toBe(true);
    const { run } = (await world.look(at)).vm!;
    const claim = await world.store.claim(at, { actor: "test", what: "test" }, 0);
    const since = Date.now();
    sendHint({ uuid: at.uuid, occurrence: { type: "rebooted", run: run! } });
    const until = Date.now();
    skipAhead(HOUR_MS);
    await claim.release();
    await expect.poll(() => typesIn(world)).toContain("vm.rebooted");
    const { event } = (await world.store.events()).at(-1)!;
    // That hour has not passed by the time of day, which the event's time was counted back from.
    const reportedAt = Date.parse(event.time) + HOUR_MS;
    expect(reportedAt).toBeGreaterThanOrEqual(since - ROUNDED_MS);
    expect(reportedAt).toBeLessThanOrEqual(until + ROUNDED_MS);
  });

  it("goes on once a backend that could not be asked answers again", async () => {
    const world = await openWorld();
    const at = await world.create({ isoPath: isos.live });
    await world.run(at, start);
    let away = false;
    let refused = 0;
    const { sendHint } = await watching(world, {
      async observe(uuid, signal) {
        if (!away) return world.backend.observe(uuid, signal);
        refused += 1;
        throw new Error("not now");
      },
    });
    await expect.poll(() => world.store.reportedStates("local")).toHaveLength(1);
    away = true;
    guestPowersOff(world.session, at.uuid);
    sendHint({ uuid: at.uuid });
    await expect.poll(() => refused).toBeGreaterThan(1);
    away = false;
    await expect.poll(() => typesIn(world)).toContain("vm.stopped");
  });
});
