import { describe, expect, it } from "vitest";
import memory from "../../plugins/memory/index.ts";
import type { Change } from "../../src/domain/changes/catalogue.ts";
import { transitionChanges } from "../../src/domain/changes/installation.ts";
import { mediaChange } from "../../src/domain/changes/media.ts";
import { startChanges } from "../../src/domain/changes/start.ts";
import { bootReport } from "../../src/domain/model/boot-rules.ts";
import { currentBootDevice } from "../../src/domain/model/current-boot.ts";
import type { State } from "../../src/domain/model/state.ts";
import * as outside from "../support/simulator.ts";
import { AT, isos, memoryBackend, orderChange, pluginContext, world } from "../support/world.ts";
import { backendContract } from "./contract.ts";

backendContract({
  name: "memory",
  guestHonoursShutdown: true,
  lacks: { display: "a VM in memory has nothing to show" },
  async open() {
    const { session, backend } = await memoryBackend({ installerHonoursShutdown: true });
    return {
      backend,
      isos: { bootable: isos.installer, data: isos.data },
      async otherNames(path) {
        const link = path.replace(".qcow2", "-link.qcow2");
        session.links.set(link, path).set("/elsewhere", path.slice(0, path.lastIndexOf("/")));
        return [link, `/elsewhere${path.slice(path.lastIndexOf("/"))}`];
      },
      saveState: async (id) => outside.saveState(session, id),
      editElsewhere: async (id) => outside.editDefinition(session, id, (next) => ({ ...next, cpus: next.cpus + 1 })),
      guestResets: async (id) => outside.guestReboots(session, id),
      close: () => memory.close(session),
    };
  },
});

const starting = (state: State): Change[] =>
  startChanges(state, { onDrift: "reassert", discardSavedState: false, at: AT });
const transition = (name: Parameters<typeof transitionChanges>[1]) => (state: State) => transitionChanges(state, name);

describe("the whole journey in memory", () => {
  it("goes from an installer ISO to running from the VM's own disk", async () => {
    const { session, create, run, look } = await world({ config: { installsAfterMs: 1_000_000 } });
    const at = await create({ isoPath: isos.installer });
    await run(at, starting);
    const installing = await look(at);
    expect(installing.record).toMatchObject({
      status: "Installing",
      currentRun: { device: "cdrom", purpose: "install" },
    });
    expect(currentBootDevice(installing)).toEqual({ device: "cdrom", certainty: "confirmed" });

    outside.passTime(session, 1_000_000);
    const looping = await look(at);
    expect(outside.guestOf(session, at.uuid)).toEqual({ booted: "installer", target: "sda", installations: 1 });
    expect(bootReport(looping).findings.map(({ code }) => code)).toContain("INSTALLER_LOOP");

    await run(at, (state) => [
      ...transitionChanges(state, "complete"),
      orderChange(state, "hd"),
      mediaChange(state, undefined, undefined),
    ]);
    expect(await look(at)).toMatchObject({
      record: { status: "Installed", requestedOrder: "hd" },
      vm: { claim: { status: "Installed", revision: 3 } },
    });
    outside.guestReboots(session, at.uuid);
    expect(outside.guestOf(session, at.uuid)).toMatchObject({ booted: "system", target: "vda" });

    await run(at, { kind: "power.stop", force: false, timeoutMs: 5_000 });
    await run(at, starting);
    const running = await look(at);
    expect(running.record!.currentRun).toMatchObject({ device: "hd", purpose: "normal" });
    expect(currentBootDevice(running)).toEqual({ device: "hd", certainty: "confirmed" });
  });

  it("ends in the installed system by itself where the disk comes first", async () => {
    const { session, create, run, look } = await world();
    const at = await create({ isoPath: isos.installer, order: "hd_cdrom" });
    await run(at, starting);
    outside.guestInstalls(session, at.uuid);
    expect(outside.guestOf(session, at.uuid)).toEqual({ booted: "system", target: "vda", installations: 1 });
    await run(at, transition("complete"));
    expect((await look(at)).record!.status).toBe("Installed");
  });

  it("removes a VM and its files when the loss is confirmed", async () => {
    const { create, run, agree, look, backend } = await world();
    const at = await create();
    const { record } = await look(at);
    const gone = (): Change[] => [{ kind: "vm.delete" }, { kind: "disk.delete", path: record!.ownedFiles[0]! }];
    await expect(run(at, gone)).rejects.toMatchObject({ code: "CONFIRMATION_REQUIRED" });
    await agree(at, gone);
    expect(await backend.images.disk(record!.ownedFiles[0]!)).toMatchObject({ state: "missing" });
    expect(await look(at)).toEqual({ target: at, disks: {}, isos: {}, usage: {}, freeBytes: expect.any(Number) });
  });
});

describe("memory plugin", () => {
  it("reads settings that are text, as those of the command line are", () => {
    expect(
      memory.config.parse({ memoryBytes: "1073741824", honoursShutdown: "false", installsAfterMs: "never" }),
    ).toMatchObject({
      memoryBytes: 1024 ** 3,
      honoursShutdown: false,
      installsAfterMs: "never",
    });
  });
  it("takes the settings of every connection where it has none of its own", async () => {
    const session = await memory.open(
      memory.config.parse({}),
      pluginContext("lab", { defaults: { images: "/vms", isoDirectories: ["/isos"] } }),
    );
    expect(session.imageDirectory).toBe("/vms");
    expect([...session.files.keys()]).toContain("/isos/installer.iso");
  });
  it("installs by itself after a while", async () => {
    const { create, run, look } = await world({ config: { installsAfterMs: 0 } });
    const at = await create({ isoPath: isos.installer });
    await run(at, starting);
    const { disks } = await look(at);
    expect(Object.values(disks)).toMatchObject([{ content: "data", bootsBios: true, bootsUefi: false }]);
  });
  it("installs nothing in a run that was started for something else", async () => {
    const { session, create, run, look } = await world({ config: { installsAfterMs: 0 } });
    const at = await create({ isoPath: isos.installer });
    await run(at, { kind: "power.start", purpose: "rescue", at: AT });
    outside.passTime(session, 60_000);
    expect(Object.values((await look(at)).disks)).toMatchObject([{ content: "blank" }]);
  });
  it("refuses everything with BACKEND_UNAVAILABLE once it is closed, and ends what is waiting", async () => {
    const { session, backend, create } = await world();
    const at = await create();
    const context = { signal: AbortSignal.timeout(60_000), progress: () => {} };
    await backend.apply(await backend.observe(at.uuid), { kind: "power.start", purpose: "normal", at: AT }, context);
    const waiting = backend.apply(
      await backend.observe(at.uuid),
      { kind: "power.stop", force: false, timeoutMs: 60_000 },
      context,
    );
    const ended = expect(waiting).rejects.toThrow();
    await memory.close(session);
    await ended;
    await expect(backend.list()).rejects.toMatchObject({ code: "BACKEND_UNAVAILABLE" });
  });
});
