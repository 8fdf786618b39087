/** Makes the record and the VM agree again after a change by another program. */
import { z } from "zod";
import type { Change } from "../domain/changes/catalogue.ts";
import { adoptChanges, putBackChanges } from "../domain/changes/repair.ts";
import { bringBackChanges } from "../domain/changes/restore.ts";
import { DomainError } from "../domain/error.ts";
import type { State } from "../domain/model/state.ts";
import { ChangeView, changeTarget, viewOutcome, vmChangeInput } from "./change.ts";
import { type FoundVm, findVm } from "./find-vm.ts";
import { defineTool } from "./tool.ts";

const repairVm = defineTool({
  name: "repair_vm",
  title: "Repair VM",
  description:
    "Make the record and the VM agree after another program removed, renamed, replaced or rolled back the VM's definition: adopt the present definition, or put the recorded one back. A missing definition is restored from the newest kept one. dry_run shows the steps.",
  effect: "change",
  needs: ["claim.write", "vm.rename"],
  http: { method: "POST", path: "/vms/{vm}/repair" },
  input: z.object({
    ...vmChangeInput,
    action: z
      .enum(["adopt", "put_back"])
      .describe("adopt: the record follows the VM; put_back: the VM follows the record"),
    status_from: z
      .enum(["record", "tag"])
      .optional()
      .describe(
        "With adopt: the source of the installation status; default: the newer one. Use tag after a revert to a snapshot that includes the disk",
      ),
  }),
  output: ChangeView,
  async run(input, context) {
    const found = await findVm(context, input.vm);
    const back = input.action === "put_back" ? await bringBackIntent(found) : undefined;
    const outcome = await changeTarget(context, found, {
      tool: "repair_vm",
      input,
      observe: { usage: true },
      intent(state): Change[] {
        if (!state.record) throw new DomainError("VM_NOT_MANAGED", { vm: state.vm?.name ?? input.vm });
        if (input.action === "put_back") return state.vm ? putBackChanges(state) : back!(state);
        if (!state.vm) throw new DomainError("VM_GONE", { vm: input.vm });
        return adoptChanges(state, input.status_from);
      },
    });
    const vm = found.target.uuid;
    const { after } = outcome;
    const firmware = outcome.before.vm === undefined && outcome.changed && after.vm?.next.firmware !== "bios";
    return {
      ...viewOutcome(outcome, input.dry_run, [{ tool: "check_boot", arguments: { vm } }]),
      ...(firmware && {
        notes: ["If its UEFI variables are gone too, the firmware finds the system only by its fallback path"],
      }),
    };
  },
});

/** The changes that bring a missing VM back. Its sources are read in advance, since an intent is pure. */
async function bringBackIntent({ store, target }: FoundVm): Promise<(state: State) => Change[]> {
  const [kept] = await store.definitions(target, 1);
  const newest = kept && (await store.operation(kept.operation));
  const made = newest ? undefined : (await store.operations({ target, limit: 200 })).findLast(isCreation);
  return (state) => {
    const changes = bringBackChanges(state, newest, made);
    if (changes) return changes;
    const reason = "its definition is gone and none was kept; delete_vm removes its record";
    throw new DomainError("REPAIR_IMPOSSIBLE", { vm: state.record!.name, reason });
  };
}

const isCreation = ({ status, steps }: { status: string; steps: readonly { change: Change }[] }) =>
  status === "applied" && steps.some(({ change }) => change.kind === "vm.create");

export const repairTools = [repairVm];
