/** Reads and records the installation status of a VM. */
import { z } from "zod";
import type { Change } from "../domain/changes/catalogue.ts";
import { vmOf } from "../domain/changes/change.ts";
import { transitionChanges } from "../domain/changes/installation.ts";
import { mediaChange } from "../domain/changes/media.ts";
import { Evidence, plainText } from "../domain/changes/suggestion.ts";
import { DomainError } from "../domain/error.ts";
import { bootOrderOf, bootWith, PresetOrder } from "../domain/model/boot-order.ts";
import { AtReboot, InstallationStatus, legalFrom, type Transition } from "../domain/model/installation.ts";
import { rolesFor } from "../domain/model/roles.ts";
import { VmRef } from "../domain/model/vm.ts";
import type { RunRecord } from "../domain/model/vm-record.ts";
import { ChangeView, changeVm, viewOutcome, vmChangeInput } from "./change.ts";
import { readVm, StaleView, viewStale } from "./read-vm.ts";
import { defineTool } from "./tool.ts";
import { FixView, SuggestionView, viewSuggestion } from "./view.ts";

const toolFor = {
  start_installation: "start_vm",
  complete: "complete_installation",
  fail: "fail_installation",
  cancel: "cancel_installation",
  begin_reinstallation: "begin_reinstallation",
} as const satisfies Record<Transition, string>;

const getInstallationStatus = defineTool({
  name: "get_installation_status",
  title: "Get installation status",
  description:
    "Get the recorded status of the OS installation on a VM's disk, its last run, and the calls that may change it.",
  effect: "read",
  needs: [],
  http: { method: "GET", path: "/vms/{vm}/installation-status" },
  input: z.object({ vm: VmRef }),
  output: z.object({
    vm: z.string(),
    installation_status: InstallationStatus,
    suggestion: SuggestionView,
    last_run: z
      .object({
        run: z.string(),
        purpose: z.string(),
        device: z.enum(["cdrom", "hd", "unknown"]).describe("The device that it was started from"),
        at_reboot: AtReboot,
        started_at: z.string(),
      })
      .optional()
      .describe("The present run, or the last one unless a call stopped it"),
    next_steps: z.array(FixView),
    ...StaleView,
  }),
  async run({ vm }, context) {
    const { state, stale } = await readVm(context, vm, { images: false });
    const { record, target } = state;
    if (!record) throw new DomainError("VM_NOT_MANAGED", { vm });
    const next = legalFrom(record.status).map((transition) => ({
      tool: toolFor[transition],
      arguments: { vm: target.uuid },
    }));
    return {
      vm: target.uuid,
      installation_status: record.status,
      ...viewSuggestion(record),
      ...(record.currentRun && { last_run: viewRun(record.currentRun) }),
      next_steps: next,
      ...viewStale(stale),
    };
  },
});

const viewRun = ({ run, purpose, device, startedAt, atReboot = "tell" }: RunRecord) => ({
  run,
  purpose,
  device,
  at_reboot: atReboot,
  started_at: startedAt,
});

const suggestCompletion = defineTool({
  name: "suggest_completion",
  title: "Suggest that an installation is complete",
  description:
    "Record that the running installation looks complete, with the evidence. The status stays until complete_installation. Counts once per power cycle: a second suggestion changes nothing.",
  effect: "change",
  needs: [],
  http: { method: "POST", path: "/vms/{vm}/suggest-completion" },
  input: z.object({ vm: VmRef, evidence: Evidence }),
  output: ChangeView,
  async run(input, context) {
    const evidence = plainText(input.evidence);
    const outcome = await changeVm(context, input.vm, {
      tool: "suggest_completion",
      input: { ...input, dry_run: false, accept: [] },
      observe: { images: false },
      intent: () => [
        { kind: "installation.suggest", evidence, by: context.call.actor, at: context.now().toISOString() },
      ],
    });
    const next = { vm: outcome.after.target.uuid, boot_order: "hd", detach_iso: true };
    return viewOutcome(outcome, false, [{ tool: "complete_installation", arguments: next }]);
  },
});

const completeInstallation = defineTool({
  name: "complete_installation",
  title: "Complete installation",
  description:
    "Record that the OS is installed on the VM's disk. Boot order and ISO stay as they are unless boot_order and detach_iso are given; then all of it is one operation, all or nothing.",
  effect: "change",
  needs: ["claim.write"],
  http: { method: "POST", path: "/vms/{vm}/complete-installation" },
  input: z.object({
    ...vmChangeInput,
    boot_order: PresetOrder.optional().describe("Also set the boot order; usually hd for an installed VM"),
    detach_iso: z.boolean().default(false).describe("Also empty the ISO drive"),
    force: z.boolean().default(false).describe("With detach_iso: open the tray although the guest has locked it"),
    evidence: Evidence.optional(),
  }),
  output: ChangeView,
  async run(input, context) {
    const outcome = await changeVm(context, input.vm, {
      tool: "complete_installation",
      input,
      observe: { usage: input.boot_order !== undefined && "indexed" },
      intent(state): Change[] {
        const vm = vmOf(state);
        const changes: Change[] = [];
        if (input.boot_order)
          changes.push({
            kind: "boot_order.set",
            boot: bootWith(vm.next, rolesFor(state), input.boot_order),
            order: input.boot_order,
          });
        if (input.detach_iso && vm.next.drives.length)
          changes.push(mediaChange(state, undefined, undefined, input.force));
        if (state.record?.status === "Installed") return changes;
        return [...changes, ...transitionChanges(state, "complete", input.evidence && plainText(input.evidence))];
      },
    });
    const { after } = outcome;
    const vm = after.target.uuid;
    const order = after.vm && bootOrderOf(after.vm.next, rolesFor(after)).order;
    const fromMediaFirst = order === "cdrom_hd" || order === "cdrom";
    const running = after.vm?.power !== "off";
    const next = [
      ...(fromMediaFirst
        ? [{ tool: "set_boot_order", arguments: { vm, boot_order: "hd", ...(running && { restart: true }) } }]
        : []),
      ...(fromMediaFirst ? [] : [{ tool: running ? "restart_vm" : "start_vm", arguments: { vm } }]),
    ];
    return viewOutcome(outcome, input.dry_run, next);
  },
});

/** A tool that makes one transition and nothing else. */
const transitionTool = <T extends Transition>(
  transition: T,
  text: {
    title: string;
    description: string;
    path: string;
    next: Readonly<{ tool: string; arguments?: Record<string, unknown> }>;
  },
) =>
  defineTool({
    name: toolFor[transition],
    title: text.title,
    description: text.description,
    effect: "change",
    needs: ["claim.write"],
    http: { method: "POST", path: `/vms/{vm}/${text.path}` },
    input: z.object(vmChangeInput),
    output: ChangeView,
    async run(input, context) {
      const outcome = await changeVm(context, input.vm, {
        tool: toolFor[transition],
        input,
        intent: (state) => transitionChanges(state, transition),
      });
      const { tool, arguments: more } = text.next;
      return viewOutcome(outcome, input.dry_run, [{ tool, arguments: { vm: outcome.after.target.uuid, ...more } }]);
    },
  });

const failInstallation = transitionTool("fail", {
  title: "Record a failed installation",
  description:
    "Record that the running installation has failed. Changes the record only. Starting the installer again begins a new attempt.",
  path: "fail-installation",
  next: { tool: "start_vm" },
});
const cancelInstallation = transitionTool("cancel", {
  title: "Cancel installation",
  description:
    "Record that the running installation was given up: the status returns to NotInstalled. The VM and its disk stay as they are.",
  path: "cancel-installation",
  next: { tool: "get_vm" },
});
const beginReinstallation = transitionTool("begin_reinstallation", {
  title: "Begin reinstallation",
  description:
    "Record that an installed VM will be installed again: the status moves from Installed to Installing. Then attach the ISO and set the boot order to cdrom_hd.",
  path: "begin-reinstallation",
  next: { tool: "attach_iso", arguments: { iso_path: "<an ISO from list_isos>" } },
});

export const installationTools = [
  getInstallationStatus,
  suggestCompletion,
  completeInstallation,
  failInstallation,
  beginReinstallation,
  cancelInstallation,
];
