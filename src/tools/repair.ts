/** Making record and machine agree again, once another program changed the machine behind Bootwright's back. */
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
    "Make record and machine agree after another program removed, renamed, replaced or rolled back a VM's definition: take what is there, or bring back what is on record. A definition that is gone comes from the newest one kept. dry_run shows either.",
  effect: "change",
  needs: ["claim.write", "vm.rename"],
  http: { method: "POST", path: "/vms/{vm}/repair" },
  input: z.object({
    ...vmChangeInput,
    action: z
      .enum(["adopt", "put_back"])
      .describe("adopt: the record follows the machine; put_back: the machine follows the record"),
    status_from: z
      .enum(["record", "tag"])
      .optional()
      .describe(
        "With adopt: whose installation status is taken; default: the newer one's. After a revert to a snapshot, disk included, the tag's",
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
        notes: ["If its UEFI variables are gone too, the firmware finds the system again by its fallback path alone"],
      }),
    };
  },
});

/** What a VM that is gone would be brought back from. Read beforehand: an intent is pure. */
async function bringBackIntent({ store, target }: FoundVm): Promise<(state: State) => Change[]> {
  const [kept] = await store.definitions(target, 1);
  const newest = kept && (await store.operation(kept.operation));
  const made = newest ? undefined : (await store.operations({ target, limit: 200 })).findLast(isCreation);
  return (state) => {
    const changes = bringBackChanges(state, newest, made);
    if (changes) return changes;
    const reason = "its definition is gone and none was kept; delete_vm removes what is on record of it";
    throw new DomainError("REPAIR_IMPOSSIBLE", { vm: state.record!.name, reason });
  };
}

const isCreation = ({ status, steps }: { status: string; steps: readonly { change: Change }[] }) =>
  status === "applied" && steps.some(({ change }) => change.kind === "vm.create");

export const repairTools = [repairVm];
