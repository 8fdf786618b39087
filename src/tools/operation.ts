/** The history of operations, and undoing one. */
import { z } from "zod";
import { type Operation, plannedEnd } from "../domain/changes/operation.ts";
import { mediaBefore, undoChanges } from "../domain/engine/undo-operation.ts";
import { DomainError } from "../domain/error.ts";
import { BootOrder, bootOrderOf } from "../domain/model/boot-order.ts";
import { InstallationStatus } from "../domain/model/installation.ts";
import { rolesFor } from "../domain/model/roles.ts";
import { gibOf } from "../domain/model/size.ts";
import type { State } from "../domain/model/state.ts";
import { diskOf, driveOf, VmRef } from "../domain/model/vm.ts";
import type { OperationStore } from "../domain/ports/store.ts";
import { ChangeView, changeInput, changeVm, confirmInput, viewOutcome } from "./change.ts";
import { findVm, presentOrPastVm } from "./find-vm.ts";
import { defineTool, type ToolContext } from "./tool.ts";

const Status = z.enum(["begun", "applied", "rolled_back", "failed", "rollback_failed", "unknown"]);
const OperationRef = z.string().min(1).max(100).describe("Id of the operation, from the answer of its call");

/** The facts of a VM that an operation can change. */
const Facts = z.object({
  name: z.string().optional(),
  power: z.enum(["off", "running", "paused", "missing"]),
  boot_order: BootOrder.optional(),
  requested_boot_order: BootOrder.optional(),
  media: z.string().optional(),
  disk_size_gb: z.number().optional(),
  installation_status: InstallationStatus.optional(),
});

function factsOf(state: State): z.input<typeof Facts> {
  const { vm, record } = state;
  const roles = rolesFor(state);
  const asked = record && {
    installation_status: record.status,
    ...(record.requestedOrder && { requested_boot_order: record.requestedOrder }),
  };
  if (!vm) return { power: "missing", ...asked };
  const media = driveOf(vm.live ?? vm.next, roles.isoDrive)?.path;
  const disk = diskOf(vm.next, roles.systemDisk)?.path;
  const bytes = disk === undefined ? undefined : state.disks[disk]?.virtualBytes;
  return {
    name: vm.name,
    power: vm.power,
    boot_order: bootOrderOf(vm.next, roles).order,
    ...asked,
    ...(media !== undefined && { media }),
    ...(bytes !== undefined && { disk_size_gb: gibOf(bytes) }),
  };
}

/** The state at an operation's end: its goal if it was applied, its beginning if it was rolled back, else undefined. */
function endOf(operation: Operation): State | undefined {
  if (operation.steps.length === 0) return undefined;
  if (operation.status === "applied") return plannedEnd(operation);
  return operation.status === "rolled_back" ? operation.before : undefined;
}

const OperationView = z.object({
  operation: z.string(),
  vm: z.string(),
  connection: z.string(),
  tool: z.string(),
  actor: z.string().describe("The caller: the surface and its client"),
  status: Status,
  direction: z.enum(["forward", "back"]),
  steps: z.array(z.object({ change: z.string(), summary: z.string(), status: z.string() })),
  before: Facts.optional(),
  after: Facts.optional().describe("Absent if it ended in between: steps show what stays"),
  begun_at: z.string(),
  settled_at: z.string().optional(),
  duration_ms: z.number().optional(),
  error: z.object({ code: z.string(), message: z.string() }).optional(),
});

function viewOperation(operation: Operation): z.input<typeof OperationView> {
  const [begin, end] = [operation.before, endOf(operation)];
  return {
    operation: operation.id,
    vm: operation.target.uuid,
    connection: operation.target.connection,
    tool: operation.what,
    actor: operation.actor,
    status: operation.status,
    direction: operation.direction,
    steps: operation.steps.map(({ change, summary, status }) => ({ change: change.kind, summary, status })),
    ...(begin && { before: factsOf(begin) }),
    ...(end && { after: factsOf(end) }),
    begun_at: operation.begunAt,
    ...(operation.settledAt !== undefined && {
      settled_at: operation.settledAt,
      duration_ms: Date.parse(operation.settledAt) - Date.parse(operation.begunAt),
    }),
    ...(operation.error && { error: operation.error }),
  };
}

/** @throws DomainError OPERATION_NOT_FOUND */
async function operationIn(store: OperationStore, id: string): Promise<Operation> {
  const operation = await store.operation(id);
  if (!operation) throw new DomainError("OPERATION_NOT_FOUND", { operation: id });
  return operation;
}

const listOperations = defineTool({
  name: "list_operations",
  title: "List operations",
  description:
    "List the operations on VMs, newest first: caller, tool, time, steps, outcome. For older ones pass before, the id of the last one shown.",
  effect: "read",
  needs: [],
  http: { method: "GET", path: "/operations" },
  input: z.object({
    vm: VmRef.optional().describe("Also a deleted VM, by its UUID or former name"),
    status: z.array(Status).max(Status.options.length).default([]).describe("Only operations with these statuses"),
    before: OperationRef.optional(),
    limit: z.number().int().min(1).max(200).default(50),
  }),
  output: z.object({ operations: z.array(OperationView) }),
  async run({ vm, status, before, limit }, context) {
    const target = vm === undefined ? undefined : await presentOrPastVm(context, vm);
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
  description: "Get one operation by the id from the answer of its call: caller, tool, and the outcome of each step.",
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
    "Undo an applied operation on boot order or media, if nothing has changed since. Refused with the reason for anything else: installing, growing, stopping and deleting cannot be undone.",
  effect: "change",
  needs: ["boot_order.set", "media.set"],
  http: { method: "POST", path: "/operations/{operation}/undo" },
  input: z.object({ operation: OperationRef, ...changeInput, ...confirmInput }),
  output: ChangeView,
  async run(input, context) {
    const operation = await operationIn(await context.store(), input.operation);
    const { connection, uuid } = operation.target;
    const vm = `${connection}/${uuid}`;
    const isoPaths = mediaBefore(operation);
    const refused = await refusedIsos(context, vm, isoPaths);
    const outcome = await changeVm(context, vm, {
      tool: "undo_operation",
      input,
      observe: { usage: "indexed", isoPaths },
      intent(state) {
        const changes = undoChanges(operation, state);
        for (const change of changes) {
          if (change.kind !== "media.set") continue;
          const refusal = refused.get(change.next ?? "") ?? refused.get(change.live ?? "");
          if (refusal) throw refusal;
        }
        return changes;
      },
    });
    return viewOutcome(outcome, input.dry_run, [{ tool: "check_boot", arguments: { vm: uuid } }]);
  },
});

/** The errors of ISOs that cannot be attached again, such as ISOs that are gone or outside the library. */
async function refusedIsos(context: ToolContext, vm: string, paths: readonly string[]): Promise<Map<string, Error>> {
  const refused = new Map<string, Error>();
  if (paths.length === 0) return refused;
  const { backend } = await findVm(context, vm);
  await Promise.all(
    paths.map((path) => backend.images.resolveIso(path).catch((error: Error) => refused.set(path, error))),
  );
  return refused;
}

export const operationTools = [listOperations, getOperation, undoOperation];
