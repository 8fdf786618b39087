import { describe, expect, it } from "vitest";
import { mediaChange } from "../../../src/domain/changes/media.ts";
import { presetOrders, rolesOf } from "../../../src/domain/model/boot-order.ts";
import { bootReport } from "../../../src/domain/model/boot-rules.ts";
import * as outside from "../../support/simulator.ts";
import { AT, diskPath, isos, memoryBackend, orderChange, uuid, vmDefinition, world } from "../../support/world.ts";

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

  it("a detach takes the ISO out of a tray that the guest opened, or the next reset would boot it", async () => {
    const { session, at, run, look } = await running();
    outside.editDefinition(session, at.uuid, (next) => ({
      ...next,
      drives: next.drives.map(({ path: _out, ...drive }) => drive),
    }));
    outside.guestEjects(session, at.uuid, "sda");
    // A drive that was only seen as open counted as empty, and the detach did nothing.
    expect((await run(at, (state) => [mediaChange(state, undefined, undefined)])).changed).toBe(true);
    expect((await look(at)).vm!.live!.drives[0]!.path).toBeUndefined();
    outside.guestReboots(session, at.uuid);
    expect(outside.guestOf(session, at.uuid).booted).toBe("nothing");
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
    const { images } = backend;
    const chain = await images.chain(images.ref("/memory/images/clone.qcow2"));
    expect(chain.map(({ ref }) => images.show(ref))).toEqual(["/memory/images/clone.qcow2", diskPath]);
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

  it("a foreign boot entry survives a change of the order, and devices stand in the hypervisor's order", async () => {
    const { session, at, run, look } = await running();
    outside.putDisk(session, { path: "/memory/images/data.qcow2" });
    outside.editDefinition(session, at.uuid, (next) => ({
      ...next,
      disks: [{ ...next.disks[0]!, target: "vdb", path: "/memory/images/data.qcow2" }, ...next.disks],
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
    expect(vm!.next.disks.map(({ target }) => target)).toEqual(["vda", "vdb"]);
    expect(vm!.next.boot.entries).toContainEqual({ device: "network:52:54:00:00:00:01", order: 5 });
    expect(rolesOf(vm!.next)).toEqual({ systemDisk: "vda", isoDrive: "sda" });
  });
});
