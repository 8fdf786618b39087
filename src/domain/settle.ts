/** The end of an operation: outcome, record and events, written in one transaction. */

import { bootOrderOf } from "./boot.ts";
import { rolesFor } from "./boot-rules.ts";
import { definitionOf } from "./changes.ts";
import { currentBootDevice } from "./current-boot.ts";
import { DomainError } from "./error.ts";
import { type DomainEvent, type EventType, eventOf } from "./event.ts";
import type { Ports } from "./operate.ts";
import type { Operation, OperationStatus, State, Step } from "./operation.ts";
import { withRecord } from "./plan.ts";
import type { Undone } from "./undo.ts";
import { diskOf, driveOf, type VmRecord } from "./vm.ts";

/** The goal was seen. Returns the state with the record as it now stands. */
export async function settleApplied(
  ports: Ports,
  operation: Operation,
  steps: readonly Step[],
  before: State,
  seen: State,
): Promise<State> {
  const after = recordAfter(operation, before, seen);
  const events: DomainEvent[] = [];
  for (const { change } of operation.steps) {
    for (const { type, data } of definitionOf(change).events?.(before, after, change) ?? []) {
      events.push(
        eventOf(operation.id, events.length, operation.target, ports.now().toISOString(), type, {
          ...data,
          name: nameOf(after, before),
          actor: operation.actor,
        }),
      );
    }
  }
  const record = after.record ? { ...after.record, ...seenOf(after) } : before.record ? null : undefined;
  await ports.store.settle(operation.id, { status: "applied", steps, events, ...(record !== undefined && { record }) });
  return record ? withRecord(after, record) : after;
}

/** It failed and was undone as far as could be. @throws the error, with the outcome attached */
export async function settleFailed(ports: Ports, operation: Operation, undone: Undone, error: Error): Promise<never> {
  const kept = undone.steps
    .filter(({ status }) => status === "kept")
    .map(({ change }) => definitionOf(change).summary(change));
  const left = undone.steps
    .filter(({ status }) => status === "done" || status === "applying")
    .map(({ change }) => definitionOf(change).summary(change));
  const status: OperationStatus = undone.failed ? "rollback_failed" : kept.length ? "failed" : "rolled_back";
  const type: EventType = status === "rolled_back" ? "operation.rolled_back" : "operation.failed";
  const code = error instanceof DomainError ? error.code : "DEFECT";
  const event = eventOf(operation.id, 0, operation.target, ports.now().toISOString(), type, {
    what: operation.what,
    code,
    kept,
    left,
  });
  await ports.store.settle(operation.id, {
    status,
    steps: undone.steps,
    error: { code, message: undone.failed ?? error.message },
    events: [event],
  });
  const outcome = { operation: operation.id, status, kept: [...kept, ...left] };
  if (undone.failed) {
    const failure = new DomainError(
      "ROLLBACK_FAILED",
      {
        vm: nameOf(undone.now),
        operation: operation.id,
        reason: `${error.message}; ${undone.failed}`,
        left: [...left, ...kept],
      },
      { cause: error },
    );
    failure.outcome = outcome;
    throw failure;
  }
  if (error instanceof DomainError) error.outcome = outcome;
  throw error;
}

/** Nobody could look. The operation stays open. @throws DomainError OUTCOME_UNKNOWN */
export async function settleUnknown(
  ports: Ports,
  operation: Operation,
  steps: readonly Step[],
  error: Error,
): Promise<never> {
  const event = eventOf(operation.id, "unknown", operation.target, ports.now().toISOString(), "operation.unknown", {
    what: operation.what,
    reason: error.message,
  });
  await ports.store.settle(operation.id, {
    status: "unknown",
    steps,
    error: { code: "OUTCOME_UNKNOWN", message: error.message },
    events: operation.status === "unknown" ? [] : [event],
  });
  throw new DomainError(
    "OUTCOME_UNKNOWN",
    { vm: operation.target.uuid, operation: operation.id, reason: error.message },
    { cause: error },
  );
}

/** The record that the operation's steps lead to, given what was really seen. */
function recordAfter({ steps }: Operation, before: State, seen: State): State {
  let after = withRecord(seen, before.record ?? null);
  for (const { change } of steps) {
    const { record } = definitionOf(change);
    if (record) after = withRecord(after, record(after.record, after, change));
  }
  return after;
}

/** What was last seen, for the columns that people query and for lists while the backend is away. */
export function seenOf(state: State): Pick<VmRecord, "seen"> {
  if (!state.vm) return {};
  const roles = rolesFor(state);
  const disk = diskOf(state.vm.next, roles.systemDisk)?.path;
  const size = disk === undefined ? undefined : state.disks[disk]?.virtualBytes;
  const media = driveOf(state.vm.live ?? state.vm.next, roles.isoDrive)?.path;
  const device = currentBootDevice(state)?.device;
  return {
    seen: {
      bootOrder: bootOrderOf(state.vm.next, roles).order,
      ...(disk !== undefined && { diskPath: disk }),
      ...(size !== undefined && { diskSizeBytes: size }),
      ...(media !== undefined && { media }),
      ...(device !== undefined && { bootDevice: device }),
    },
  };
}

const nameOf = (...states: readonly State[]) =>
  states.map((state) => state.vm?.name ?? state.record?.name).find((name) => name !== undefined) ??
  states[0]!.target.uuid;
