/** Starts, stops and restarts VMs. */
import { z } from "zod";
import type { Change } from "../domain/changes/catalogue.ts";
import { vmOf } from "../domain/changes/change.ts";
import { goalOf } from "../domain/changes/goal.ts";
import { powerOn, startChanges } from "../domain/changes/start.ts";
import { AtReboot, Purpose } from "../domain/model/installation.ts";
import type { State } from "../domain/model/state.ts";
import { ChangeView, changeVm, confirmInput, viewOutcome, vmChangeInput } from "./change.ts";
import { isoInput, resolveIso } from "./media.ts";
import { defineTool } from "./tool.ts";

const stopInput = {
  force: z.boolean().default(false).describe("Cut the power instead of asking the guest; the guest's memory is lost"),
  timeout_seconds: z.number().min(1).max(3600).default(60).describe("How long the guest may take to shut down"),
};
type StopInput = Readonly<{ force: boolean; timeout_seconds: number }>;
export const restartInput = {
  restart: z.boolean().default(false).describe("Stop and start a running VM, so that the change takes effect now"),
  ...stopInput,
};

const stopChange = ({ force, timeout_seconds }: StopInput) =>
  ({ kind: "power.stop", force, timeoutMs: timeout_seconds * 1000 }) as const;

/** Stops and starts a VM: only a cold start applies the next definition. Empty for a VM that is off. */
export function restartChanges(state: State, input: StopInput, now: Date): Change[] {
  if (vmOf(state).power === "off") return [];
  const run = state.record?.currentRun;
  const purpose = run?.purpose === "install" && state.record?.status === "Installing" ? "install" : "normal";
  return [stopChange(input), ...powerOn(purpose, now.toISOString(), run?.atReboot)];
}

const startVm = defineTool({
  name: "start_vm",
  title: "Start VM",
  description:
    "Start a VM by its boot order and media. Refused with the reason if nothing can boot. iso_path attaches an ISO first. With a blank disk and bootable media the start counts as an installation.",
  effect: "change",
  needs: ["power.start"],
  http: { method: "POST", path: "/vms/{vm}/start" },
  input: z.object({
    ...vmChangeInput,
    purpose: Purpose.optional().describe("Default: install if the disk is blank and media boots, else normal"),
    iso_path: isoInput.optional(),
    at_reboot: AtReboot.optional(),
    on_drift: z
      .enum(["reassert", "adopt"])
      .default("reassert")
      .describe("If another program changed the boot order: restore the requested order, or adopt the present one"),
    discard_saved_state: z
      .boolean()
      .default(false)
      .describe("Start cold even if a saved state exists, and lose that state"),
    ...confirmInput,
  }),
  output: ChangeView,
  async run(input, context) {
    const iso = await resolveIso(context, input.vm, input.iso_path);
    const outcome = await changeVm(context, input.vm, {
      tool: "start_vm",
      input,
      observe: { usage: true, ...(iso !== undefined && { isoPaths: [iso] }) },
      intent: (state) =>
        startChanges(state, {
          purpose: input.purpose,
          isoPath: iso,
          onDrift: input.on_drift,
          discardSavedState: input.discard_saved_state,
          atReboot: input.at_reboot,
          at: context.now().toISOString(),
        }),
    });
    const vm = outcome.after.target.uuid;
    const installing = outcome.after.record?.status === "Installing";
    const next = installing
      ? [{ tool: "complete_installation", arguments: { vm, boot_order: "hd" } }]
      : [{ tool: "get_vm", arguments: { vm } }];
    const changes = outcome.plan.steps.map(({ change }) => change);
    return {
      ...viewOutcome(outcome, input.dry_run, next),
      notes: [...driftNotes(changes, outcome.before), ...rebootNotes(changes)],
    };
  },
});

const driftNotes = (changes: readonly Change[], before: State): string[] =>
  changes.flatMap((change) => {
    if (change.kind === "boot_order.set")
      return [`another program had changed the boot order; the requested order ${change.order} was restored`];
    if (change.kind === "boot_order.adopt")
      return [
        `the requested boot order was ${before.record?.requestedOrder}; ${change.order}, set by another program, was adopted`,
      ];
    return [];
  });

/** Only a running server can act when the guest reboots. */
const rebootNotes = (changes: readonly Change[]): string[] =>
  changes.flatMap((change) => {
    if (change.kind !== "power.start" || change.atReboot === undefined || change.atReboot === "tell") return [];
    const server = "needs a Bootwright server with the plugin loop-guard, running at that time";
    if (change.atReboot === "eject")
      return [
        `at_reboot eject ${server}; without one the installer runs again`,
        "the ISO must be out before the firmware reads it again, within about a second; boot_disk has no such limit",
      ];
    return [
      `at_reboot boot_disk ${server}; without one the VM stays off after the installer's reboot`,
      "a guest that powers off looks like one that reboots, so it is started again too",
    ];
  });

const stopVm = defineTool({
  name: "stop_vm",
  title: "Stop VM",
  description:
    "Ask a VM's guest to shut down, and wait for it. force cuts the power. Installers and firmware screens ignore the request, so it times out.",
  effect: "change",
  needs: ["power.stop"],
  http: { method: "POST", path: "/vms/{vm}/stop" },
  input: z.object({ ...vmChangeInput, ...stopInput, ...confirmInput }),
  output: ChangeView,
  async run(input, context) {
    const outcome = await changeVm(context, input.vm, {
      tool: "stop_vm",
      input,
      intent: (state) => (vmOf(state).power === "off" ? [] : [stopChange(input)]),
    });
    return viewOutcome(outcome, input.dry_run, [{ tool: "start_vm", arguments: { vm: outcome.after.target.uuid } }]);
  },
});

const restartVm = defineTool({
  name: "restart_vm",
  title: "Restart VM",
  description:
    "Stop a VM and start it cold, so that a pending boot order takes effect; a guest's own reboot never applies it. A VM that is off is started.",
  effect: "change",
  repeats: true,
  needs: ["power.stop", "power.start"],
  http: { method: "POST", path: "/vms/{vm}/restart" },
  input: z.object({ ...vmChangeInput, ...stopInput, ...confirmInput }),
  output: ChangeView,
  async run(input, context) {
    const outcome = await changeVm(context, input.vm, {
      tool: "restart_vm",
      input,
      observe: { usage: true },
      intent(state) {
        const start = { onDrift: "reassert", discardSavedState: false, at: context.now().toISOString() } as const;
        if (vmOf(state).power === "off") return startChanges(state, start);
        const stop = stopChange(input);
        const run = state.record?.currentRun;
        const purpose = run?.purpose === "install" ? undefined : ("normal" as const);
        return [stop, ...startChanges(goalOf(state, stop), { ...start, purpose, kept: run?.atReboot })];
      },
    });
    return viewOutcome(outcome, input.dry_run, [{ tool: "get_vm", arguments: { vm: outcome.after.target.uuid } }]);
  },
});

export const powerTools = [startVm, stopVm, restartVm];
