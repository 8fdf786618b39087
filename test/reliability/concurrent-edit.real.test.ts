// Goal: another program's edit of a VM, at the worst moments of an operation, is neither lost nor told otherwise, but for
// the one window that libvirt leaves open: it has no compare-and-swap, so between the last look and the write on the wire
// nothing can be done. That window is measured, and what an edit in it comes to is on record here for each kind of write.
// Method: a proxy holds the operation's calls back while a second client edits; libvirtd is the tests' own.

import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from "vitest";
import type { ProcedureName } from "../../plugins/libvirt/client/procedure.ts";
import { canBeSystem, hasLibvirtd } from "../plugins/libvirt/client/private-daemon.ts";
import { figure, scaled } from "../support/scale.ts";
import { codesOf, type Testbed } from "../support/vm.ts";
import { type ConcurrentEdit, type Hooks, openConcurrentEdit, THEIRS } from "./concurrent-edit-testbed.ts";

const { isos } = inject("guests");

type Change = Readonly<{
  what: string;
  /** The call that writes, the last of those that the operation makes. */
  write: ProcedureName;
  /** How often that procedure writes in the operation. */
  writes?: number;
  /** What an edit in the window comes to: a narrow write leaves it, a whole definition that was read before goes over it. */
  window: "kept" | "lost" | "gone with the VM";
  call: (vm: string) => Promise<unknown>;
}>;

describe.skipIf(!hasLibvirtd || !canBeSystem)("another program's edit", () => {
  let world: ConcurrentEdit;
  let testbed: Testbed;
  let hooks: Hooks;
  beforeAll(async () => {
    world = await openConcurrentEdit({ isos });
    ({ testbed, hooks } = world);
  });
  afterAll(() => world?.close());
  beforeEach(() => world.quiet());

  const changes: readonly Change[] = [
    {
      what: "set_boot_order of classes",
      write: "DOMAIN_DEFINE_XML_FLAGS",
      window: "lost",
      call: (vm) => testbed.call("set_boot_order", { vm, boot_order: "hd_cdrom" }),
    },
    {
      what: "attach_iso",
      write: "DOMAIN_UPDATE_DEVICE_FLAGS",
      window: "kept",
      call: (vm) => testbed.call("attach_iso", { vm, iso_path: testbed.iso(isos.bios) }),
    },
    {
      what: "detach_iso",
      write: "DOMAIN_UPDATE_DEVICE_FLAGS",
      window: "kept",
      call: (vm) => testbed.call("detach_iso", { vm }),
    },
    {
      what: "complete_installation",
      write: "DOMAIN_SET_METADATA",
      window: "kept",
      call: (vm) => testbed.call("complete_installation", { vm }),
    },
    {
      what: "start_vm",
      write: "DOMAIN_CREATE_WITH_FLAGS",
      window: "kept",
      call: (vm) => testbed.call("start_vm", { vm, purpose: "live" }),
    },
    {
      what: "delete_vm",
      write: "DOMAIN_UNDEFINE_FLAGS",
      window: "gone with the VM",
      call: (vm) => testbed.call("delete_vm", { vm }),
    },
  ];

  /** CI has the time for one of each kind of call: a definition, a device, a start. */
  const chosen = changes.filter((_, index) => index % scaled(1, 2) === 0);

  /** How many definitions an operation reads before it writes: its last look is the last of them. */
  async function looksBefore({ write, call }: Change): Promise<number> {
    const vm = await world.prepared();
    let looks = 0;
    let last = 0;
    hooks.call = async (procedure) => {
      if (procedure === "DOMAIN_GET_XML_DESC") looks++;
      if (procedure === write && last === 0) last = looks;
      return undefined;
    };
    await call(vm);
    await world.removed(vm);
    return last;
  }

  test("before the last look stops every kind of change, and stays", async () => {
    for (const change of chosen) {
      const last = await looksBefore(change);
      const vm = await world.prepared();
      let theirs: string | undefined;
      let looks = 0;
      hooks.call = async (procedure) => {
        if (procedure === "DOMAIN_GET_XML_DESC" && ++looks === last) theirs = await world.edit(vm);
        return undefined;
      };
      const refused = await change.call(vm).then(() => undefined, world.refusalOf);
      world.quiet();
      const answered = [change.what, refused?.code, refused?.outcome?.status];
      expect(answered).toEqual([change.what, "VM_CHANGED_MEANWHILE", "rolled_back"]);
      expect([change.what, await world.xmlOf(vm)]).toEqual([change.what, theirs]);
      await world.removed(vm);
    }
    expect(await world.openOperations()).toEqual([]);
  });

  test("between the last look and the write is overwritten only where libvirt leaves that window open", async () => {
    const lost: string[] = [];
    for (const { what, write, window, call } of chosen) {
      const vm = await world.prepared();
      let edited = false;
      hooks.call = async (procedure) => {
        if (procedure === write && !edited) {
          edited = true;
          await world.edit(vm);
        }
        return undefined;
      };
      await call(vm);
      world.quiet();
      const kept = await world.xmlOf(vm).then(
        (xml) => (xml.includes(THEIRS) ? "kept" : "lost"),
        () => "gone with the VM",
      );
      expect([what, kept]).toEqual([what, window]);
      if (kept !== "kept") lost.push(what);
      await world.removed(vm);
    }
    figure("concurrent edit: changes that go over an edit in the window", lost.join(", "));
    expect(await world.openOperations()).toEqual([]);
  });

  test("between the last look and the write has a window of milliseconds", async () => {
    const rounds = scaled(50, 5);
    const windows: number[] = [];
    const vm = await world.prepared();
    let lookedAt = 0;
    hooks.answer = (procedure) => {
      if (procedure === "DOMAIN_GET_XML_DESC") lookedAt = performance.now();
    };
    hooks.call = async (procedure) => {
      if (["DOMAIN_DEFINE_XML_FLAGS", "DOMAIN_UPDATE_DEVICE_FLAGS"].includes(procedure))
        windows.push(performance.now() - lookedAt);
      return undefined;
    };
    for (let round = 0; round < rounds; round++) {
      await testbed.call("set_boot_order", { vm, boot_order: round % 2 ? "cdrom_hd" : "hd_cdrom" });
      if (round % 2) await testbed.call("attach_iso", { vm, iso_path: testbed.iso(isos.both) });
      else await testbed.call("detach_iso", { vm });
    }
    await world.removed(vm);
    windows.sort((a, b) => a - b);
    figure("concurrent edit: writes whose window was measured", windows.length);
    figure(
      "concurrent edit: window between the last look and the write, median ms",
      windows[windows.length >> 1]!.toFixed(2),
    );
    figure("concurrent edit: window between the last look and the write, longest ms", windows.at(-1)!.toFixed(2));
    expect(windows.length).toBe(rounds * 2);
  });

  test("between the write and the look after it stays, and the operation is applied", async () => {
    for (const { what, write, window, call } of chosen) {
      if (window === "gone with the VM") continue;
      const vm = await world.prepared();
      let written = false;
      hooks.call = async (procedure) => {
        if (procedure === "DOMAIN_GET_XML_DESC" && written) {
          written = false;
          await world.edit(vm);
        } else written ||= procedure === write;
        return undefined;
      };
      expect([what, await call(vm)]).toEqual([what, expect.objectContaining({ changed: true })]);
      world.quiet();
      expect([what, await world.xmlOf(vm)]).toEqual([what, expect.stringContaining(THEIRS)]);
      await world.removed(vm);
    }
    expect(await world.openOperations()).toEqual([]);
  });

  test("of the very thing that was changed is told when it comes after the write, and stays", async () => {
    const vm = await world.prepared();
    let [written, edited] = [false, false];
    hooks.call = async (procedure) => {
      if (procedure === "DOMAIN_GET_XML_DESC" && written && !edited) {
        edited = true;
        await world.edit(vm, /(<boot dev='\w+'\/>\s*)+/, "<boot dev='cdrom'/>");
      } else written ||= procedure === "DOMAIN_DEFINE_XML_FLAGS";
      return undefined;
    };
    const refused = await testbed
      .call("set_boot_order", { vm, boot_order: "hd_cdrom" })
      .then(() => undefined, world.refusalOf);
    world.quiet();
    expect(refused?.code).toBe("ROLLBACK_FAILED");
    expect(refused?.message).toContain("another program");
    expect((await world.xmlOf(vm)).match(/<boot dev='\w+'/g)).toEqual(["<boot dev='cdrom'"]);
    const seen = await testbed.call("get_vm", { vm });
    expect(seen.boot_order).toBe("cdrom");
    expect(codesOf(seen)).toContain("BOOT_ORDER_DRIFT");
    await world.removed(vm);
    expect(await world.openOperations()).toEqual([]);
  });

  test("between the failure and the rollback is not rolled over", async () => {
    const vm = await world.prepared();
    let failed = false;
    let looks = 0;
    hooks.call = async (procedure) => {
      if (procedure === "DOMAIN_SET_METADATA" && !failed) {
        failed = true;
        return { when: "before", how: "error" };
      }
      // The look after the failure is the first; the second is the one right before the first thing that is undone.
      if (failed && procedure === "DOMAIN_GET_XML_DESC" && ++looks === 2) await world.edit(vm);
      return undefined;
    };
    const refused = await testbed
      .call("complete_installation", { vm, boot_order: "hd_cdrom", detach_iso: true })
      .then(() => undefined, world.refusalOf);
    world.quiet();
    expect([refused?.code, refused?.outcome?.status]).toEqual(["ROLLBACK_FAILED", "rollback_failed"]);
    const xml = await world.xmlOf(vm);
    expect(xml).toContain(THEIRS);
    expect(xml.match(/<boot dev='\w+'/g)).toEqual(["<boot dev='hd'", "<boot dev='cdrom'"]);
    expect(await testbed.call("get_vm", { vm })).toMatchObject({
      boot_order: "hd_cdrom",
      installation_status: "NotInstalled",
    });
    expect(refused!.outcome!.kept).toEqual([
      expect.stringMatching(/boot order/),
      expect.stringMatching(/empty CD-ROM drive/),
    ]);
    expect((await testbed.call("set_boot_order", { vm, boot_order: "cdrom_hd" })).changed).toBe(true);
    await world.removed(vm);
  });

  const moments: [string, ProcedureName][] = [
    ["before the guest is stopped", "DOMAIN_DESTROY_FLAGS"],
    ["right before it is started again", "DOMAIN_LOOKUP_BY_UUID"],
  ];
  test.each(moments)("during a restart, %s, does not leave the VM off", async (_when, held) => {
    const restarts = [
      ["set_boot_order", { boot_order: "hd_cdrom", restart: true, force: true }],
      ["restart_vm", { force: true }],
    ] as const;
    for (const [what, args] of restarts.slice(0, scaled(2, 1))) {
      const vm = await world.prepared();
      await testbed.call("start_vm", { vm, purpose: "live" });
      let stopped = false;
      let lookups = 0;
      hooks.call = async (procedure) => {
        stopped ||= procedure === "DOMAIN_DESTROY_FLAGS";
        if (!stopped || procedure !== held) return undefined;
        // The first lookup is for the look after the stop, the second for the one right before the start.
        if (++lookups === (held === "DOMAIN_DESTROY_FLAGS" ? 1 : 2)) await world.edit(vm);
        return undefined;
      };
      const { vm: after } = await testbed.call(what, { vm, ...args });
      world.quiet();
      expect([what, after.power]).toEqual([what, "running"]);
      const running = await world.libvirt.domainLookupByUuid(vm);
      expect(await world.libvirt.domainGetXmlDesc(running)).toContain(THEIRS);
      await world.removed(vm);
    }
    expect(await world.openOperations()).toEqual([]);
  });
});
