/** The history of what was done, and undoing what can still be undone. */
import { z } from "zod";
import { definitionOf } from "../domain/changes.ts";
import { DomainError } from "../domain/error.ts";
import { undoChanges } from "../domain/history.ts";
import type { Operation } from "../domain/operation.ts";
import type { Store } from "../domain/port.ts";
import { VmRef } from "../domain/vm.ts";
import { ChangeView, changeInput, changeVm, confirmInput, viewOutcome } from "./change.ts";
import { findVm } from "./target.ts";
import { defineTool } from "./tool.ts";

const Status = z.enum(["begun", "applied", "rolled_back", "failed", "rollback_failed", "unknown"]);
const OperationRef = z.string().min(1).max(100).describe("Id of the operation, as its call answered with");

const OperationView = z.object({
  operation: z.string(),
  vm: z.string(),
  connection: z.string(),
  tool: z.string(),
  actor: z.string().describe("Who asked: the surface and its client"),
  status: Status,
  direction: z.enum(["forward", "back"]),
  steps: z.array(z.object({ change: z.string(), summary: z.string(), status: z.string() })),
  begun_at: z.string(),
  settled_at: z.string().optional(),
  duration_ms: z.number().optional(),
  error: z.object({ code: z.string(), message: z.string() }).optional(),
});

const viewOperation = (operation: Operation): z.input<typeof OperationView> => ({
  operation: operation.id,
  vm: operation.target.uuid,
  connection: operation.target.connection,
  tool: operation.what,
  actor: operation.actor,
  status: operation.status,
  direction: operation.direction,
  steps: operation.steps.map(({ change, status }) => ({
    change: change.kind,
    summary: definitionOf(change).summary(change),
    status,
  })),
  begun_at: operation.begunAt,
  ...(operation.settledAt !== undefined && {
    settled_at: operation.settledAt,
    duration_ms: Date.parse(operation.settledAt) - Date.parse(operation.begunAt),
  }),
  ...(operation.error && { error: operation.error }),
});

/** @throws DomainError OPERATION_NOT_FOUND */
async function operationIn(store: Store, id: string): Promise<Operation> {
  const operation = await store.operation(id);
  if (!operation) throw new DomainError("OPERATION_NOT_FOUND", { operation: id });
  return operation;
}

const listOperations = defineTool({
  name: "list_operations",
  title: "List operations",
  description:
    "List what was done to VMs, newest first: who asked for what and when, the steps, how it ended. Older ones follow with before, the id of the last one shown.",
  effect: "read",
  needs: [],
  http: { method: "GET", path: "/operations" },
  input: z.object({
    vm: VmRef.optional(),
    status: z.array(Status).default([]).describe("Only operations that ended so"),
    before: OperationRef.optional(),
    limit: z.number().int().min(1).max(200).default(50),
  }),
  output: z.object({ operations: z.array(OperationView) }),
  async run({ vm, status, before, limit }, context) {
    const target = vm === undefined ? undefined : (await findVm(context, vm)).target;
    const store = await context.store();
    const operations = await store.operations({
      limit,
      ...(target && { target }),
      ...(status.length && { status }),
      ...(before !== undefined && { before }),
    });
    return { operations: operations.map(viewOperation) };
  },
});

const getOperation = defineTool({
  name: "get_operation",
  title: "Get operation",
  description:
    "Get one recorded operation by the id that its call answered with: who asked for what, its steps and what became of each.",
  effect: "read",
  needs: [],
  http: { method: "GET", path: "/operations/{operation}" },
  input: z.object({ operation: OperationRef }),
  output: OperationView,
  run: async ({ operation }, context) => viewOperation(await operationIn(await context.store(), operation)),
});

const undoOperation = defineTool({
  name: "undo_operation",
  title: "Undo operation",
  description:
    "Undo an operation on boot order or media that was applied, while things are still as it left them. Refused with the reason for anything else: what was installed, grown, stopped or deleted has no way back.",
  effect: "change",
  needs: ["boot_order.set", "media.set"],
  http: { method: "POST", path: "/operations/{operation}/undo" },
  input: z.object({ operation: OperationRef, ...changeInput, ...confirmInput }),
  output: ChangeView,
  async run(input, context) {
    const operation = await operationIn(await context.store(), input.operation);
    const { connection, uuid } = operation.target;
    const outcome = await changeVm(context, `${connection}/${uuid}`, {
      tool: "undo_operation",
      input,
      look: { usage: true },
      intent: (state) => undoChanges(operation, state),
    });
    return viewOutcome(outcome, input.dry_run, [{ tool: "check_boot", arguments: { vm: uuid } }]);
  },
});

export const operationTools = [listOperations, getOperation, undoOperation];
