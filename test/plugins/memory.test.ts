import { describe, expect, it } from "vitest";
import memory from "../../plugins/memory/index.ts";
import * as outside from "../../plugins/memory/outside.ts";
import { presetOrders, rolesOf } from "../../src/domain/boot.ts";
import { bootReport } from "../../src/domain/boot-rules.ts";
import type { Change } from "../../src/domain/changes.ts";
import { currentBootDevice } from "../../src/domain/current-boot.ts";
import { transitionChanges } from "../../src/domain/installation.ts";
import { mediaChange } from "../../src/domain/media.ts";
import type { State } from "../../src/domain/operation.ts";
import { startChanges } from "../../src/domain/start.ts";
import {
  AT,
  diskPath,
  isos,
  memoryBackend,
  orderChange,
  pluginContext,
  uuid,
  vmDefinition,
  world,
} from "../support/world.ts";
import { backendContract } from "./contract.ts";

backendContract({
  name: "memory",
  guestHonoursShutdown: true,
  async open() {
    const { session, backend } = await memoryBackend({ installerHonoursShutdown: true });
    return {
      backend,
      isos: { bootable: isos.installer, data: isos.data },
      saveState: async (id) => outside.saveState(session, id),
      editElsewhere: async (id) => outside.editDefinition(session, id, (next) => ({ ...next, cpus: next.cpus + 1 })),
      close: () => memory.close(session),
    };
  },
});

const starting = (state: State): Change[] =>
  startChanges(state, { onDrift: "reassert", discardSavedState: false, at: AT });
const transition = (name: Parameters<typeof transitionChanges>[1]) => (state: State) => transitionChanges(state, name);

describe("firmware in memory", () => {
  const disks = {
    blank: {},
    "BIOS system": { content: "data", bootsBios: true },
    "UEFI system": { content: "data", bootsUefi: true },
    "data without a boot record": { content: "data" },
  } as const;
  const media = {
    "empty tray": undefined,
    installer: isos.installer,
    "UEFI installer": isos.uefi,
    "live system": isos.live,
    data: isos.data,
  };

  for (const firmware of ["bios", "uefi", "uefi_secure"] as const) {
    it(`boots what the domain's boot rules predict, wherever they do (${firmware})`, async () => {
      let predicted = 0;
      for (const order of presetOrders) {
        for (const [disk, content] of Object.entries(disks)) {
          for (const [medium, isoPath] of Object.entries(media)) {
            const next = vmDefinition({ order, firmware, ...(isoPath !== undefined && { isoPath }) });
            const { session, backend } = await memoryBackend({
              disks: [{ path: diskPath, ...content }],
              vms: [{ uuid, name: "web", next }],
            });
            const seen = await backend.observe(uuid);
            const facts = { [diskPath]: await backend.images.disk(diskPath) };
            const labelled = isoPath === undefined ? {} : { [isoPath]: await backend.images.iso(isoPath) };
            const { device } = bootReport({
              target: { connection: "local", uuid },
              vm: seen!,
              disks: facts,
              isos: labelled,
            }).coldStart.boots;
            await backend.apply(
              seen,
              { kind: "power.start", purpose: "live", at: AT },
              { signal: AbortSignal.timeout(1_000), progress: () => {} },
            );
            const { target } = outside.guestOf(session, uuid);
            if (device === "unknown") continue;
            predicted += 1;
            expect(
              { none: undefined, hd: "vda", cdrom: "sda", other: "other" }[device],
              `${order}, ${disk}, ${medium}`,
            ).toBe(target);
          }
        }
      }
      expect(predicted).toBeGreaterThan(40);
    });
  }

  it("hangs in the protective MBR of a UEFI disk under BIOS", async () => {
    const { session } = await memoryBackend({
      disks: [{ path: diskPath, content: "data", bootsUefi: true }],
      vms: [{ uuid, name: "web", running: true, next: vmDefinition({ order: "hd" }) }],
    });
    expect(outside.guestOf(session, uuid).booted).toBe("hung");
  });
});

describe("the whole story in memory", () => {
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
    expect(await look(at)).toEqual({ target: at, disks: {}, isos: {}, freeBytes: expect.any(Number) });
  });
});

describe("guests and other programs in memory", () => {
  const running = async (guest: Parameters<typeof outside.setGuest>[2] = {}) => {
    const opened = await world({ config: guest });
    const at = await opened.create({ isoPath: isos.live });
    await opened.run(at, { kind: "power.start", purpose: "live", at: AT });
    return { ...opened, at };
  };

  it("an eject by the guest does not break the loop, since the tray closes at the next reset", async () => {
    const { session, at, look } = await running();
    outside.guestEjects(session, at.uuid, "sda");
    const open = (await look(at)).vm!;
    expect(open.live!.drives[0]).toMatchObject({ tray: "open", path: isos.live });
    expect(open.next.drives[0]).toMatchObject({ tray: "closed", path: isos.live });
    outside.guestReboots(session, at.uuid);
    expect(outside.guestOf(session, at.uuid)).toMatchObject({ booted: "live", target: "sda" });
    expect((await look(at)).vm!.run).toBe(open.run);
  });

  it("a locked tray refuses an eject with TRAY_LOCKED, changes nothing, and opens by force", async () => {
    const { at, run, look } = await running({ locksTray: true });
    const before = await look(at);
    await expect(run(at, (state) => [mediaChange(state, undefined, undefined)])).rejects.toMatchObject({
      code: "TRAY_LOCKED",
      outcome: { status: "rolled_back" },
    });
    expect((await look(at)).vm).toEqual(before.vm);
    await run(at, (state) => [mediaChange(state, undefined, undefined, true)]);
    expect((await look(at)).vm!.live!.drives[0]!.path).toBeUndefined();
  });

  it("a saved state resumes with the definition that it was saved with", async () => {
    const { session, at, run, look } = await running();
    outside.saveState(session, at.uuid);
    await run(at, (state) => [mediaChange(state, undefined, undefined)]);
    expect((await look(at)).vm).toMatchObject({ power: "off", savedState: true });
    await run(at, { kind: "power.start", purpose: "normal", at: AT }, { accept: ["SAVED_STATE", "NOTHING_BOOTS"] });
    const { vm } = await look(at);
    expect(vm!.live!.drives[0]!.path).toBe(isos.live);
    expect(vm!.next.drives[0]!.path).toBeUndefined();
    expect(vm!.savedState).toBe(false);
  });

  it("a VM without a definition is gone once it is off", async () => {
    const { session, at, look } = await running();
    outside.undefineVm(session, at.uuid);
    expect((await look(at)).vm!.persistent).toBe(false);
    outside.guestPowersOff(session, at.uuid);
    expect((await look(at)).vm).toBeUndefined();
  });

  it("a disk takes one running VM at a time, its backing files included", async () => {
    const next = vmDefinition({ order: "hd" });
    const clone = { ...next, disks: next.disks.map((disk) => ({ ...disk, path: "/memory/images/clone.qcow2" })) };
    const other = "5e0a7a4e-54a5-4f0b-9d0c-4a6b6a1d2c02";
    const { backend } = await memoryBackend({
      disks: [
        { path: diskPath, content: "data", bootsBios: true },
        { path: "/memory/images/clone.qcow2", backing: diskPath },
      ],
      vms: [
        { uuid, name: "template", next },
        { uuid: other, name: "clone", next: clone, running: true },
      ],
    });
    expect(await backend.images.chain("/memory/images/clone.qcow2")).toEqual(["/memory/images/clone.qcow2", diskPath]);
    expect(await backend.images.disk("/memory/images/clone.qcow2")).toMatchObject({ content: "data", bootsBios: true });
    const context = { signal: AbortSignal.timeout(1_000), progress: () => {} };
    const template = await backend.observe(uuid);
    await expect(
      backend.apply(template, { kind: "power.start", purpose: "normal", at: AT }, context),
    ).rejects.toMatchObject({ code: "BACKEND_FAILED" });
    await expect(backend.images.growDisk(diskPath, 40 * 1024 ** 3)).rejects.toMatchObject({
      code: "IMAGE_TOOL_FAILED",
    });
  });

  it("a transparent second drive and a foreign boot entry survive a change of the order", async () => {
    const { session, at, run, look } = await running();
    outside.editDefinition(session, at.uuid, (next) => ({
      ...next,
      boot: {
        style: "device",
        entries: [
          { device: "disk:vda", order: 2 },
          { device: "network:52:54:00:00:00:01", order: 5 },
        ],
      },
    }));
    await run(at, (state) => [orderChange(state, "hd_cdrom")]);
    const { vm } = await look(at);
    expect(vm!.next.boot.entries).toContainEqual({ device: "network:52:54:00:00:00:01", order: 5 });
    expect(rolesOf(vm!.next)).toEqual({ systemDisk: "vda", isoDrive: "sda" });
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
