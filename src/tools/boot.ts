/** Reads and sets boot orders, and predicts what would boot. */
import { z } from "zod";
import { vmOf } from "../domain/changes/change.ts";
import { predictOrder } from "../domain/model/boot-forecast.ts";
import { BootOrder, bootOrderOf, bootWith, devicesIn, PresetOrder, presetOrders } from "../domain/model/boot-order.ts";
import { bootReport } from "../domain/model/boot-rules.ts";
import { rolesFor } from "../domain/model/roles.ts";
import { VmRef } from "../domain/model/vm.ts";
import { ChangeView, changeVm, confirmInput, viewOutcome, vmChangeInput } from "./change.ts";
import { restartChanges, restartInput } from "./power.ts";
import { readVm, StaleView, type VmReading, viewStale } from "./read-vm.ts";
import { defineTool } from "./tool.ts";
import { FindingView, PredictionView, viewPrediction, viewReport } from "./view.ts";

const getBootOrder = defineTool({
  name: "get_boot_order",
  title: "Get boot order",
  description: "Get a VM's boot order, live and for the next start, and the requested order.",
  effect: "read",
  needs: [],
  http: { method: "GET", path: "/vms/{vm}/boot-order" },
  input: z.object({ vm: VmRef }),
  output: z.object({
    vm: z.string(),
    boot_order: BootOrder,
    running_boot_order: BootOrder.optional(),
    requested_boot_order: PresetOrder.optional(),
    devices: z
      .array(z.string())
      .describe("The devices of the order, first to last, such as disk:TARGET or cdrom:TARGET"),
    other_devices: z.array(z.string()),
    ...StaleView,
  }),
  async run({ vm }, context) {
    const reading = await readVm(context, vm, { images: false });
    if (reading.stale) return recordedOrder(reading);
    const { state } = reading;
    const roles = rolesFor(state);
    const { next, live, uuid } = vmOf(state);
    const { order, others } = bootOrderOf(next, roles);
    const asked = state.record?.requestedOrder;
    return {
      vm: uuid,
      boot_order: order,
      ...(live && { running_boot_order: bootOrderOf(live, roles).order }),
      ...(asked && { requested_boot_order: asked }),
      devices: bootReport(state).coldStart.candidates.map(({ device }) => device),
      other_devices: others,
    };
  },
});

/** @throws the error of the failed read, if no order is on record */
function recordedOrder({ state: { target, record }, stale }: VmReading) {
  const order = record?.seen?.bootOrder;
  if (!record || order === undefined) throw stale!.error;
  const asked = record.requestedOrder;
  return {
    vm: target.uuid,
    boot_order: order,
    ...(asked && { requested_boot_order: asked }),
    devices: order === "custom" ? [] : devicesIn(order, record.roles),
    other_devices: [],
    ...viewStale(stale),
  };
}

const setBootOrder = defineTool({
  name: "set_boot_order",
  title: "Set boot order",
  description:
    "Set what a VM boots from: hd once an OS is installed, cdrom_hd to install. The order is checked against media and disk first. On a running VM it takes effect at the next cold start (a guest's own reboot keeps the old order) unless restart is true.",
  effect: "change",
  needs: ["boot_order.set"],
  http: { method: "POST", path: "/vms/{vm}/boot-order" },
  input: z.object({ ...vmChangeInput, boot_order: PresetOrder, ...restartInput, ...confirmInput }),
  output: ChangeView,
  async run(input, context) {
    const outcome = await changeVm(context, input.vm, {
      tool: "set_boot_order",
      input,
      observe: { usage: input.restart || "indexed" },
      intent: (state) => [
        {
          kind: "boot_order.set",
          boot: bootWith(vmOf(state).next, rolesFor(state), input.boot_order),
          order: input.boot_order,
        },
        ...(input.restart ? restartChanges(state, input, context.now()) : []),
      ],
    });
    const { vm, target } = outcome.after;
    const waiting = vm && vm.power !== "off" && outcome.plan.takesEffect === "next_start";
    return viewOutcome(outcome, input.dry_run, [
      { tool: waiting ? "restart_vm" : "check_boot", arguments: { vm: target.uuid } },
    ]);
  },
});

const checkBoot = defineTool({
  name: "check_boot",
  title: "Check what would boot",
  description:
    "Predict what a VM will boot at a cold start and at a guest's own reboot, device by device with the cause. Lists every finding with its fixes. Changes nothing.",
  effect: "read",
  needs: [],
  http: { method: "GET", path: "/vms/{vm}/boot-check" },
  input: z.object({
    vm: VmRef,
    orders: z.boolean().default(false).describe("Also predict a cold start with each of the four boot orders"),
  }),
  output: z.object({
    vm: z.string(),
    cold_start: PredictionView,
    guest_reboot: PredictionView,
    orders: z.array(PredictionView).optional(),
    findings: z.array(FindingView),
  }),
  async run({ vm, orders }, context) {
    const { state, stale } = await readVm(context, vm, { usage: "indexed" });
    // A record does not suffice for a prediction.
    if (stale) throw stale.error;
    return {
      vm: state.target.uuid,
      ...viewReport(bootReport(state)),
      ...(orders && { orders: presetOrders.map((order) => viewPrediction(predictOrder(state, order))) }),
    };
  },
});

export const bootTools = [getBootOrder, setBootOrder, checkBoot];
