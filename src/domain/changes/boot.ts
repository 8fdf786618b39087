/** Changes of the boot order. */
import { z } from "zod";
import { BootOrder, bootOrderOf, PresetOrder } from "../model/boot-order.ts";
import { rolesFor } from "../model/roles.ts";
import type { BootConfig, DeviceRef } from "../model/vm.ts";
import { defineChange, type UndoLater, vmOf } from "./change.ts";

const BootConfigSchema = z.object({
  style: z.enum(["os", "device"]),
  entries: z.array(z.object({ device: z.string(), order: z.number().int().min(1) })).readonly(),
});

/** `order` is the requested order, which goes on record; absent when an older configuration is put back as it was. */
const SetBootOrder = z.object({ boot: BootConfigSchema, order: PresetOrder.optional() });

/** Whether `now` is the configuration `wanted`. The hypervisor gives a class in the per-device style back as the
 * class's first device, which it alone knows, or leaves the class out when it has no device. */
function sameBoot(now: BootConfig, wanted: BootConfig): boolean {
  const left = new Map(now.entries.map(({ device, order }) => [order, device]));
  const found = wanted.entries.every(({ device, order }) => {
    const seen = left.get(order);
    const standsFor = wanted.style === "device" ? prefixOf[device] : undefined;
    const same = seen === device || (standsFor !== undefined && seen?.startsWith(standsFor));
    if (same) left.delete(order);
    return same || standsFor !== undefined;
  });
  return now.style === wanted.style && found && left.size === 0;
}

const prefixOf: Readonly<Record<DeviceRef, string>> = {
  "class:network": "network:",
  "class:fd": "floppy:",
  "class:hd": "disk:",
  "class:cdrom": "cdrom:",
};

/** An order that is put back on purpose becomes the requested order. A custom order cannot be requested, so no order is
 * requested then: otherwise the next start would bring back the undone order. */
const undoOrderLater: UndoLater<z.output<typeof SetBootOrder>> = {
  instead(back, { before }) {
    if (!before.record || !before.vm) return [back];
    const order = before.record.requestedOrder ?? bootOrderOf(before.vm.next, rolesFor(before)).order;
    return order === "custom" ? [back, { kind: "boot_order.adopt", order }] : [{ ...back, order }];
  },
};

export const bootChanges = {
  "boot_order.set": defineChange({
    input: SetBootOrder,
    appliedBy: "backend",
    writes: "definition",
    run: "keeps",
    observes: () => ({ vm: "next", record: true }),
    takesDefinition: false,
    removesVm: false,
    explains: () => ({}),
    undoLater: undoOrderLater,
    again: (change) => change,
    gate: "change",
    goal(state, { boot }) {
      const vm = vmOf(state);
      return { ...state, vm: { ...vm, next: { ...vm.next, boot } } };
    },
    reached: (now, goal) => now.vm !== undefined && sameBoot(now.vm.next.boot, vmOf(goal).next.boot),
    recorded: (record, { order }) => record === undefined || order === undefined || record.requestedOrder === order,
    undo: (before) => [{ kind: "boot_order.set", boot: vmOf(before).next.boot }],
    record: (record, _now, { order }) => (record && order ? { ...record, requestedOrder: order } : (record ?? null)),
    events(before, after, { order }) {
      const from = bootOrderOf(vmOf(before).next, before.record?.roles ?? {}).order;
      const to = order ?? bootOrderOf(vmOf(after).next, after.record?.roles ?? {}).order;
      return from === to ? [] : [{ type: "boot_order.changed", data: { from, to } }];
    },
    summary: ({ order }) => `set the boot order to ${order ?? "what it was"}`,
  }),
  /** Adopts the present order as the requested one, which ends a drift. */
  "boot_order.adopt": defineChange({
    input: z.object({ order: BootOrder }),
    appliedBy: "store",
    writes: "record",
    run: "keeps",
    observes: () => ({ record: true }),
    takesDefinition: true,
    removesVm: false,
    explains: () => ({}),
    undoLater: "impossible",
    again: "never",
    goal: (state) => state,
    reached: (now, _goal, { order }) => now.record?.requestedOrder === (order === "custom" ? undefined : order),
    undo: () => "kept",
    record(record, _now, { order }) {
      if (!record) return null;
      const { requestedOrder: _old, ...rest } = record;
      return order === "custom" ? rest : { ...rest, requestedOrder: order };
    },
    summary: ({ order }) => `adopt the boot order ${order}, which another program set`,
  }),
};
