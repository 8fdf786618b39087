import { describe, expect, it, onTestFinished } from "vitest";
import type { Change } from "../../../src/domain/changes/catalogue.ts";
import type { Hint } from "../../../src/domain/ports/backend-groups.ts";
import * as outside from "../../support/simulator.ts";
import { watcherOf } from "../../support/watcher.ts";
import { AT, diskPath, isos, memoryBackend, uuid, vmDefinition } from "../../support/world.ts";

type Options = NonNullable<Parameters<typeof memoryBackend>[0]>;

/** One VM with an installed system on its disk, and somebody who watches. */
async function watched(config: Options = {}, more: Partial<Parameters<typeof vmDefinition>[0]> = {}) {
  const next = vmDefinition({ order: "hd_cdrom", ...more });
  const { session, backend } = await memoryBackend({
    disks: [{ path: diskPath, content: "data", bootsBios: true }],
    vms: [{ uuid, name: "web", next }],
    ...config,
  });
  const watcher = await watcherOf(backend);
  onTestFinished(() => watcher.stop());
  const apply = async (change: Change) =>
    backend.apply(await backend.observe(uuid), change, { signal: new AbortController().signal, progress: () => {} });
  return {
    session,
    backend,
    watcher,
    start: (purpose: "install" | "normal" = "normal") => apply({ kind: "power.start", purpose, at: AT }),
    observe: async () => (await backend.observe(uuid))!,
  };
}
const withOccurrence = (type: string) => (hint: Hint) => hint.uuid === uuid && hint.occurrence?.type === type;

describe("watching VMs in memory", () => {
  it("tells what a guest does at its time, although nobody looks", async () => {
    const { watcher, start, observe } = await watched(
      { disks: [{ path: diskPath }], installsAfterMs: 30, agentAfterMs: 30 },
      { isoPath: isos.installer },
    );
    await start("install");
    const after = watcher.hints.length;
    await watcher.waitForHint(withOccurrence("rebooted"), after);
    await watcher.waitForHint(({ occurrence }) => !occurrence, watcher.hints.length);
    expect(await observe()).toMatchObject({ power: "running", agent: true });
  });

  it("tells what leaves no trace, with the run in which it happened", async () => {
    const { session, watcher, start, observe } = await watched();
    await start();
    const { run } = await observe();
    outside.guestReboots(session, uuid);
    outside.spaceRunsLow(session, uuid, "vda", 4_096);
    outside.diskFails(session, uuid, "vda");
    expect(watcher.hints.flatMap(({ occurrence }) => occurrence ?? [])).toEqual([
      { type: "rebooted", run },
      { type: "space_low", run, target: "vda", freeBytes: 4_096 },
      { type: "io_error", run, target: "vda", reason: "enospc" },
    ]);
    expect(await observe()).toMatchObject({ power: "paused", powerReason: "io_error" });
  });

  it("tells of everything that is done from outside", async () => {
    const { session, watcher, start } = await watched({}, { isoPath: isos.live });
    await start();
    const acts: Record<string, () => void> = {
      edit: () => outside.editDefinition(session, uuid, (next) => ({ ...next, cpus: 3 })),
      insert: () => outside.insertLive(session, uuid, "sda", isos.data),
      eject: () => outside.guestEjects(session, uuid, "sda"),
      rename: () => outside.setIdentity(session, uuid, { name: "web2" }),
      pause: () => outside.setPaused(session, uuid, "user"),
      resume: () => outside.setPaused(session, uuid, undefined),
      save: () => outside.saveState(session, uuid),
      undefine: () => outside.undefineVm(session, uuid),
      define: () => outside.defineVm(session, { uuid, name: "web", next: vmDefinition() }),
    };
    for (const [name, act] of Object.entries(acts)) {
      const after = watcher.hints.length;
      act();
      expect(watcher.hints.slice(after), name).toContainEqual({ uuid });
    }
  });

  it("says how a run ended", async () => {
    const { session, start, observe } = await watched();
    const ends = {
      shutdown: () => outside.guestPowersOff(session, uuid),
      crashed: () => outside.guestCrashes(session, uuid),
      saved: () => outside.saveState(session, uuid),
    };
    for (const [stopReason, end] of Object.entries(ends)) {
      await start();
      end();
      expect(await observe()).toMatchObject({ power: "off", stopReason });
    }
  });
});

describe("a guest's agent in memory", () => {
  it("answers once the system on the disk runs it, and goes with a reset and a pause", async () => {
    const { session, backend, start, observe } = await watched({ agentAfterMs: 1_000_000 });
    await start();
    expect([(await observe()).agent, await backend.guest!.info(uuid)]).toEqual([false, undefined]);
    outside.passTime(session, 1_000_000);
    expect((await observe()).agent).toBe(true);
    expect(await backend.guest!.info(uuid)).toMatchObject({
      osId: "memory",
      filesystems: [{ mountpoint: "/", type: "ext4", disks: ["vda"] }],
    });
    outside.setPaused(session, uuid, "user");
    expect(await backend.guest!.info(uuid)).toBeUndefined();
    outside.setPaused(session, uuid, undefined);
    outside.guestReboots(session, uuid);
    expect([(await observe()).agent, await backend.guest!.info(uuid)]).toEqual([false, undefined]);
  });

  it("of a live system says that it lives from its medium", async () => {
    const { backend, start, observe } = await watched(
      { agentAfterMs: 0, mediumRunsAgent: true },
      { order: "cdrom", isoPath: isos.live },
    );
    await start();
    expect((await observe()).agent).toBe(true);
    expect(await backend.guest!.info(uuid)).toMatchObject({
      osId: "memory-live",
      filesystems: [
        { mountpoint: "/", type: "overlay", disks: [] },
        { type: "iso9660", disks: ["sda"] },
      ],
    });
  });
  it("is not run by what was booted from a medium unless that is said", async () => {
    const { start, observe } = await watched({ agentAfterMs: 0 }, { order: "cdrom", isoPath: isos.live });
    await start();
    expect((await observe()).agent).toBe(false);
  });
});
