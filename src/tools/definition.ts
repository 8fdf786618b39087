/** Lists the VM definitions that operations kept from before them, and restores one. */
import { z } from "zod";
import type { Change } from "../domain/changes/catalogue.ts";
import { restoreChangeOf, restoreChanges } from "../domain/changes/restore.ts";
import { DomainError } from "../domain/error.ts";
import { BootOrder, bootOrderOf, rolesOf } from "../domain/model/boot-order.ts";
import { driveOf, VmRef } from "../domain/model/vm.ts";
import { ChangeView, changeTarget, viewOutcome, vmChangeInput } from "./change.ts";
import { findVm } from "./find-vm.ts";
import { defineTool } from "./tool.ts";

const DEFINITIONS_MAX = 50;

const listDefinitions = defineTool({
  name: "list_definitions",
  title: "List definitions",
  description:
    "List the definitions of a VM that operations kept from before them, newest first, with the boot order and medium of then. The texts stay in the database, since they hold passwords.",
  effect: "read",
  needs: [],
  http: { method: "GET", path: "/vms/{vm}/definitions" },
  input: z.object({ vm: VmRef, limit: z.number().int().min(1).max(DEFINITIONS_MAX).default(20) }),
  output: z.object({
    definitions: z.array(
      z.object({
        operation: z.string().describe("The operation that kept it; restore_definition takes this id"),
        tool: z.string(),
        kept_at: z.string(),
        size_bytes: z.number(),
        name: z.string(),
        boot_order: BootOrder,
        media: z.string().optional(),
      }),
    ),
  }),
  async run({ vm, limit }, context) {
    const { store, target } = await findVm(context, vm);
    const kept = await store.definitions(target, limit);
    const operations = await Promise.all(kept.map(({ operation }) => store.operation(operation)));
    return {
      definitions: kept.flatMap(({ operation, what, begunAt, bytes }, index) => {
        const was = operations[index]?.before?.vm;
        if (!was) return [];
        const roles = rolesOf(was.next);
        const media = driveOf(was.next, roles.isoDrive)?.path;
        return [
          {
            operation,
            tool: what,
            kept_at: begunAt,
            size_bytes: bytes,
            name: was.name,
            boot_order: bootOrderOf(was.next, roles).order,
            ...(media !== undefined && { media }),
          },
        ];
      }),
    };
  },
});

const restoreDefinition = defineTool({
  name: "restore_definition",
  title: "Restore definition",
  description:
    "Restore a VM's whole definition from before an operation (list_definitions names them), also if the VM's definition is gone. Disk contents and the installation status stay as they are. On a running VM it takes effect at the next cold start.",
  effect: "change",
  needs: ["claim.write", "vm.rename"],
  http: { method: "POST", path: "/vms/{vm}/definitions/{operation}/restore" },
  input: z.object({
    ...vmChangeInput,
    operation: z.string().min(1).max(100).describe("The operation whose kept definition is restored"),
  }),
  output: ChangeView,
  async run(input, context) {
    const found = await findVm(context, input.vm);
    const { store, target } = found;
    const known = (await store.definitions(target, DEFINITIONS_MAX)).map(({ operation }) => operation);
    const operation = known.includes(input.operation) ? await store.operation(input.operation) : undefined;
    const restore = operation && restoreChangeOf(operation);
    const outcome = await changeTarget(context, found, {
      tool: "restore_definition",
      input,
      observe: { usage: true },
      intent(state): Change[] {
        if (!state.record) throw new DomainError("VM_NOT_MANAGED", { vm: state.vm?.name ?? input.vm });
        if (!restore)
          throw new DomainError("DEFINITION_NOT_FOUND", { vm: state.record.name, operation: input.operation, known });
        return restoreChanges(state, restore);
      },
    });
    return viewOutcome(outcome, input.dry_run, [{ tool: "check_boot", arguments: { vm: target.uuid } }]);
  },
});

export const definitionTools = [listDefinitions, restoreDefinition];
