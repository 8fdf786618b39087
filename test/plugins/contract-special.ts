/** What holds for one change alone: live and next, power, sizes, foreign edits. */
import { expect } from "vitest";
import { definitionFor } from "../../src/domain/changes/lifecycle.ts";
import { bootOrderOf, presetOrders, rolesOf } from "../../src/domain/model/boot-order.ts";
import type { State } from "../../src/domain/model/state.ts";
import { driveOf } from "../../src/domain/model/vm.ts";
import { changeCases, medium } from "./contract-cases.ts";
import { codeOf, creation, DISK_BYTES, type Harness, start, still, type Test } from "./contract-harness.ts";

export type SpecialOptions = Readonly<{ guestHonoursShutdown: boolean; shutdownMs?: number }>;

const mediumIn = ({ vm }: State, which: "next" | "live") => driveOf(vm![which]!, rolesOf(vm!.next).isoDrive)?.path;
const stop = (timeoutMs: number) => ({ kind: "power.stop", force: false, timeoutMs }) as const;

export function specialContract(options: SpecialOptions, test: Test): void {
  creating(test);
  running(test);
  stopping(options, test);
  sizes(test);

  test("claim.write leaves the fingerprint as it is, every other edit does not", async (harness) => {
    const before = await harness.make();
    const tagged = await harness.apply(before, {
      kind: "claim.write",
      tag: { uuid: before.target.uuid, revision: 9, status: "Installed" },
    });
    expect(tagged.vm!.fingerprint).toBe(before.vm!.fingerprint);
    const edited = await harness.apply(tagged, medium(tagged, harness.isos.data));
    expect(edited.vm!.fingerprint).not.toBe(before.vm!.fingerprint);
    const back = await harness.apply(edited, medium(edited));
    expect(back.vm!.fingerprint).toBe(before.vm!.fingerprint);
  });
  test("an edit by another program is seen, and stops the change that did not know of it", async (harness) => {
    if (!harness.editElsewhere)
      throw new Error("open() gives no editElsewhere: put this test on the skip list, with the reason");
    const before = await harness.make();
    await harness.editElsewhere(before.target.uuid);
    const edited = await harness.look(before.target.uuid);
    expect(edited.vm!.fingerprint).not.toBe(before.vm!.fingerprint);
    expect(await codeOf(harness.apply(before, medium(before, harness.isos.data)))).toBe("VM_CHANGED_MEANWHILE");
    expect((await harness.look(before.target.uuid)).vm).toEqual(edited.vm);
  });
  test("reboot_action.set changes this run alone, and a VM that is off has none", async (harness) => {
    const before = await harness.make({}, true);
    const set = { kind: "reboot_action.set", endsRun: true } as const;
    const after = await harness.apply(before, set);
    expect(after.vm!.live!.resetEndsRun).toBe(true);
    expect(after.vm!.next).toEqual(before.vm!.next);
    expect(after.vm!.fingerprint).toBe(before.vm!.fingerprint);
    const off = await harness.apply(after, { kind: "power.stop", force: true, timeoutMs: 0 });
    await expect(harness.apply(off, set)).rejects.toThrow();
    expect((await harness.apply(off, start)).vm!.live).not.toHaveProperty("resetEndsRun");
  });
  test("a change of a VM that is gone is refused", async (harness) => {
    const before = await harness.make();
    await harness.apply(before, { kind: "vm.delete" });
    await expect(harness.apply(before, medium(before, harness.isos.data))).rejects.toThrow();
  });
}

function creating(test: Test): void {
  for (const order of presetOrders) {
    test(`vm.create with boot order ${order} makes what was asked for`, async (harness) => {
      const spec = harness.newSpec({ order, isoPath: harness.isos.bootable });
      const { vm } = await harness.apply(await harness.prepare(spec), creation(spec));
      expect(vm).toMatchObject({
        uuid: spec.uuid,
        name: spec.name,
        power: "off",
        persistent: true,
        savedState: false,
        claim: spec.claim,
      });
      expect(vm!.next).toEqual(definitionFor(spec));
      expect(vm!.live).toBeUndefined();
      expect(vm!.run).toBeUndefined();
      expect(bootOrderOf(vm!.next, rolesOf(vm!.next)).order).toBe(order);
    });
  }
  test("vm.create with UEFI firmware makes a UEFI VM", async (harness) => {
    expect((await harness.make({ firmware: "uefi" })).vm!.next.firmware).toBe("uefi");
  });
  test("vm.create with a SATA disk puts disk and drive where they belong", async (harness) => {
    const spec = harness.newSpec({ diskBus: "sata", diskTarget: "sda", driveTarget: "sdb" });
    const { vm } = await harness.apply(await harness.prepare(spec), creation(spec));
    expect(vm!.next).toEqual(definitionFor(spec));
  });
  test("vm.create with a name that is taken is refused, and nothing is made", async (harness) => {
    const { vm } = await harness.make();
    const spec = harness.newSpec({ name: vm!.name });
    const before = await harness.prepare(spec);
    await expect(harness.apply(before, creation(spec))).rejects.toThrow();
    expect((await harness.look(spec.uuid)).vm).toBeUndefined();
  });
}

function running(test: Test): void {
  test("power.start starts the next definition, and each start is a run of its own", async (harness) => {
    const on = await harness.make({ isoPath: harness.isos.data }, true);
    expect(on.vm).toMatchObject({ power: "running", run: expect.any(String) });
    expect(bootOrderOf(on.vm!.live!, rolesOf(on.vm!.next)).order).toBe("cdrom_hd");
    expect(mediumIn(on, "live")).toBe(harness.isos.data);
    const off = await harness.apply(on, { kind: "power.stop", force: true, timeoutMs: 0 });
    expect(off.vm).toMatchObject({ power: "off" });
    expect(off.vm!.run).toBeUndefined();
    expect(off.vm!.live).toBeUndefined();
    expect((await harness.apply(off, start)).vm!.run).not.toBe(on.vm!.run);
  });
  test("vm.delete of a VM that was started meanwhile is refused, since it would only lose its definition", async (harness) => {
    const before = await harness.make({}, true);
    await expect(harness.apply(before, { kind: "vm.delete" })).rejects.toThrow();
    expect(still((await harness.look(before.target.uuid)).vm)).toEqual(still(before.vm));
  });
  test("power.start with an ISO that is missing is refused, and the VM stays off", async (harness) => {
    const before = await harness.make();
    const missing = await harness.apply(before, medium(before, `${harness.isos.data}-not.iso`));
    await expect(harness.apply(missing, start)).rejects.toThrow();
    expect(still((await harness.look(before.target.uuid)).vm)).toEqual(still(missing.vm));
  });
  test("boot_order.set on a running VM changes the next definition alone", async (harness) => {
    const before = await harness.make({}, true);
    const change = changeCases["boot_order.set"]!.running!.change(before, harness);
    const { vm } = await harness.apply(before, change);
    expect(bootOrderOf(vm!.next, rolesOf(vm!.next)).order).toBe("hd");
    expect(vm!.live).toEqual(before.vm!.live);
    expect(vm!.run).toBe(before.vm!.run);
  });
  test("drive.add on a running VM changes the next definition alone", async (harness) => {
    const before = await harness.make({}, true);
    const { vm } = await harness.apply(before, { kind: "drive.add", target: "sdc", bus: "sata" });
    expect(driveOf(vm!.next, "sdc")).toBeDefined();
    expect(vm!.live).toEqual(before.vm!.live);
  });
  test("media.set on a running VM changes live and next in one go", async (harness) => {
    const before = await harness.make({}, true);
    const inserted = await harness.apply(before, medium(before, harness.isos.data));
    expect([mediumIn(inserted, "live"), mediumIn(inserted, "next")]).toEqual([harness.isos.data, harness.isos.data]);
    const replaced = await harness.apply(inserted, medium(inserted, harness.isos.bootable));
    expect([mediumIn(replaced, "live"), mediumIn(replaced, "next")]).toEqual([
      harness.isos.bootable,
      harness.isos.bootable,
    ]);
    const ejected = await harness.apply(replaced, medium(replaced));
    expect([mediumIn(ejected, "live"), mediumIn(ejected, "next")]).toEqual([undefined, undefined]);
    expect(ejected.vm!.run).toBe(before.vm!.run);
  });
  test("media.set can leave the running VM's medium and change the next one", async (harness) => {
    const before = await harness.make({ isoPath: harness.isos.data }, true);
    const drive = rolesOf(before.vm!.next).isoDrive!;
    const now = await harness.apply(before, { kind: "media.set", drive, force: false, live: harness.isos.data });
    expect([mediumIn(now, "live"), mediumIn(now, "next")]).toEqual([harness.isos.data, undefined]);
  });
  test("media.set of a missing ISO on a running VM changes neither live nor next", async (harness) => {
    const before = await harness.make({ isoPath: harness.isos.data }, true);
    await expect(harness.apply(before, medium(before, `${harness.isos.data}-not.iso`))).rejects.toThrow();
    expect(still((await harness.look(before.target.uuid)).vm)).toEqual(still(before.vm));
  });
  for (const on of [false, true]) {
    test(`media.set empties an empty tray and inserts the same ISO again without an error (${on ? "running" : "off"})`, async (harness) => {
      const empty = await harness.make({}, on);
      expect(still((await harness.apply(empty, medium(empty))).vm)).toEqual(still(empty.vm));
      const full = await harness.apply(empty, medium(empty, harness.isos.data));
      expect(still((await harness.apply(full, medium(full, harness.isos.data))).vm)).toEqual(still(full.vm));
    });
  }
}

function stopping({ guestHonoursShutdown, shutdownMs = 5_000 }: SpecialOptions, test: Test): void {
  test("a VM that is off says that its power was cut, until it is started again", async (harness) => {
    const on = await harness.make({}, true);
    expect(on.vm).not.toHaveProperty("stopReason");
    const off = await harness.apply(on, { kind: "power.stop", force: true, timeoutMs: 0 });
    expect(off.vm!.stopReason).toBe("power_cut");
    expect((await harness.backend.list()).find(({ uuid }) => uuid === on.target.uuid)).toEqual(off.vm);
    expect((await harness.apply(off, start)).vm).not.toHaveProperty("stopReason");
  });
  test("power.stop without force says SHUTDOWN_TIMED_OUT when nothing in the VM listens, and leaves it running", async (harness) => {
    const before = await harness.make({}, true);
    expect(await codeOf(harness.apply(before, stop(1_000)))).toBe("SHUTDOWN_TIMED_OUT");
    expect(still((await harness.look(before.target.uuid)).vm)).toEqual(still(before.vm));
  });
  test("power.stop without force ends at once when it is aborted", async (harness) => {
    const before = await harness.make({}, true);
    const ending = new AbortController();
    // Within the limit of this test its time would not be up.
    const progress = () => ending.abort();
    await expect(harness.apply(before, stop(3_600_000), { signal: ending.signal, progress })).rejects.toThrow();
    expect((await harness.look(before.target.uuid)).vm!.run).toBe(before.vm!.run);
  });
  test("power.stop of a VM that is off is no error", async (harness) => {
    const before = await harness.make();
    expect((await harness.apply(before, stop(1_000))).vm).toEqual(before.vm);
  });
  if (!guestHonoursShutdown) return;
  const limitMs = shutdownMs + 60_000;
  test(
    "power.stop without force turns a VM off whose guest listens",
    async (harness) => {
      const before = await harness.make({ isoPath: harness.isos.bootable }, true);
      // A guest that is still booting misses the button, so it is pressed again, as a person would.
      for (const until = Date.now() + shutdownMs; Date.now() < until; ) {
        if ((await codeOf(harness.apply(before, stop(Math.min(10_000, shutdownMs))))) !== "SHUTDOWN_TIMED_OUT") break;
      }
      expect((await harness.look(before.target.uuid)).vm!.power).toBe("off");
    },
    limitMs,
  );
}

function sizes(test: Test): void {
  const resized = async (harness: Harness, on: boolean, factor: number) => {
    const before = await harness.make({}, on);
    const { target: disk, path } = before.vm!.next.disks[0]!;
    const change = { kind: "disk.resize", disk, path: path!, sizeBytes: DISK_BYTES * factor } as const;
    const code = await codeOf(harness.apply(before, change));
    return { code, sizeBytes: (await harness.look(before.target.uuid)).disks[path!]?.virtualBytes };
  };
  for (const on of [false, true]) {
    const when = on ? "running" : "off";
    test(`disk.resize grows (${when})`, async (harness) => {
      expect(await resized(harness, on, 2)).toEqual({ code: "nothing was thrown", sizeBytes: DISK_BYTES * 2 });
    });
    test(`disk.resize to the same size is no error (${when})`, async (harness) => {
      expect(await resized(harness, on, 1)).toEqual({ code: "nothing was thrown", sizeBytes: DISK_BYTES });
    });
    test(`disk.resize refuses to shrink with SHRINK_REFUSED (${when})`, async (harness) => {
      expect(await resized(harness, on, 0.5)).toEqual({ code: "SHRINK_REFUSED", sizeBytes: DISK_BYTES });
    });
  }
}
