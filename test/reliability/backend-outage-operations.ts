// Every kind of operation on a VM, each with the state that it starts from. The daemon still works when that is made.

import type { Testbed } from "../support/vm.ts";

export type Subject = Readonly<{
  testbed: Testbed;
  /** Names in the ISO library. */
  isos: Readonly<{ one: string; other: string }>;
  word: string;
}>;

/** A call that can be made, and its VM where that is known before. */
export type Ready = Readonly<{ uuid?: string; call: () => Promise<unknown> }>;

type Prepare = (subject: Subject) => Promise<Ready>;

const vmWith =
  (
    act: (testbed: Testbed, vm: string, subject: Subject) => Promise<unknown>,
    {
      args = {},
      running = false,
      before,
    }: Readonly<{
      args?: Readonly<Record<string, unknown>>;
      running?: boolean;
      before?: (testbed: Testbed, vm: string) => Promise<unknown>;
    }> = {},
  ): Prepare =>
  async (subject) => {
    const { testbed, isos, word } = subject;
    const { uuid } = await testbed.create(word, { iso_path: isos.one, ...args });
    if (running) await testbed.call("start_vm", { vm: uuid, purpose: "live" });
    await before?.(testbed, uuid);
    return { uuid, call: () => act(testbed, uuid, subject) };
  };

const running = { running: true };

export const operations: Readonly<Record<string, Prepare>> = {
  create_vm: async ({ testbed, isos, word }) => ({ call: () => testbed.create(word, { iso_path: isos.one }) }),
  delete_vm: vmWith((testbed, vm) => testbed.call("delete_vm", { vm })),
  "delete_vm of one that runs": vmWith((testbed, vm) => testbed.call("delete_vm", { vm, force: true }), running),
  attach_iso: vmWith((testbed, vm, { isos }) => testbed.call("attach_iso", { vm, iso_path: isos.other })),
  "attach_iso to one that runs": vmWith(
    (testbed, vm, { isos }) => testbed.call("attach_iso", { vm, iso_path: isos.other }),
    running,
  ),
  detach_iso: vmWith((testbed, vm) => testbed.call("detach_iso", { vm })),
  "detach_iso from one that runs": vmWith((testbed, vm) => testbed.call("detach_iso", { vm }), running),
  set_boot_order: vmWith((testbed, vm) => testbed.call("set_boot_order", { vm, boot_order: "hd_cdrom" })),
  "set_boot_order with restart": vmWith(
    (testbed, vm) => testbed.call("set_boot_order", { vm, boot_order: "hd_cdrom", restart: true, force: true }),
    running,
  ),
  "complete_installation with order and eject": vmWith((testbed, vm) =>
    testbed.call("complete_installation", { vm, boot_order: "hd", detach_iso: true, accept: ["DISK_BLANK"] }),
  ),
  "complete_installation of one that runs": vmWith(
    (testbed, vm) =>
      testbed.call("complete_installation", { vm, boot_order: "hd", detach_iso: true, accept: ["DISK_BLANK"] }),
    running,
  ),
  resize_disk: vmWith((testbed, vm) => testbed.call("resize_disk", { vm, size_gb: 2 })),
  "resize_disk of one that runs": vmWith((testbed, vm) => testbed.call("resize_disk", { vm, size_gb: 2 }), running),
  start_vm: vmWith((testbed, vm) => testbed.call("start_vm", { vm })),
  stop_vm: vmWith((testbed, vm) => testbed.call("stop_vm", { vm, force: true }), running),
  undo_operation: async (subject) => {
    const { testbed, isos, word } = subject;
    const { uuid } = await testbed.create(word, { iso_path: isos.one });
    const { operation } = await testbed.call("set_boot_order", { vm: uuid, boot_order: "hd_cdrom" });
    return { uuid, call: () => testbed.call("undo_operation", { operation }) };
  },
  restore_definition: async ({ testbed, isos, word }) => {
    const { uuid } = await testbed.create(word, { iso_path: isos.one });
    const { operation } = await testbed.call("set_boot_order", { vm: uuid, boot_order: "hd_cdrom" });
    return { uuid, call: () => testbed.call("restore_definition", { vm: uuid, operation }) };
  },
  adopt_vm: async ({ testbed, isos, word }) => {
    // Somebody else's: defined from the XML of one that is gone again, with the disk left where it is.
    const made = await testbed.create(word, { iso_path: isos.one });
    const xml = (await testbed.xml(made.name)).replace(/<bootwright:vm [^>]*\/>/, "");
    await testbed.call("delete_vm", { vm: made.uuid, keep_files: true });
    await testbed.define(xml);
    return { uuid: made.uuid, call: () => testbed.call("adopt_vm", { vm: made.uuid }) };
  },
};
