/** Settles an operation: writes outcome, record and events in one transaction. */

import { definitionOf, writesDefinition } from "../changes/catalogue.ts";
import { withRecord } from "../changes/goal.ts";
import type { Operation, OperationStatus, Step } from "../changes/operation.ts";
import { DomainError } from "../error.ts";
import { bootOrderOf } from "../model/boot-order.ts";
import { currentBootDevice } from "../model/current-boot.ts";
import { type EventType, eventOf } from "../model/event.ts";
import { rolesFor } from "../model/roles.ts";
import type { State } from "../model/state.ts";
import { diskOf, driveOf } from "../model/vm.ts";
import type { VmRecord } from "../model/vm-record.ts";
import type { Ports } from "../ports/operation-ports.ts";
import { inFlightUntil } from "./in-flight.ts";
import { reportedAfter } from "./reported-after-operation.ts";
import type { RollbackResult } from "./rollback.ts";

/** Settles an operation whose goal was observed. Returns the state with the new record. */
export async function settleApplied(
  ports: Ports,
  operation: Operation,
  steps: readonly Step[],
  before: State,
  seen: State,
): Promise<State> {
  const { after, record, events } = outcomeOf(ports, operation, steps, before, seen, 0);
  await ports.store.settle(operation.id, {
    ...(ports.claim && { claim: ports.claim }),
    status: "applied",
    steps,
    events,
    reports: reportedAfter(ports, steps, before, after),
    ...(record !== undefined && { record }),
  });
  return record ? withRecord(after, record) : after;
}

/** Settles an operation that failed and was undone as far as possible. Steps without an undo stay, and are reported
 * like any other outcome.
 * @throws the error, with the outcome attached; DomainError OUTCOME_UNKNOWN when an undo could not be observed */
export async function settleFailed(
  ports: Ports,
  operation: Operation,
  before: State,
  undone: RollbackResult,
  error: Error,
): Promise<never> {
  if (undone.unknown !== undefined) {
    const reason = new Error(`${error.message}; ${undone.unknown}`, { cause: error });
    return settleUnknown(ports, operation, undone.steps, reason);
  }
  const keptSteps = undone.steps.filter(({ status }) => status === "kept");
  const kept = keptSteps.map(inWords);
  const left = undone.steps.filter(({ status }) => status === "done" || status === "applying").map(inWords);
  const status: OperationStatus = undone.failed ? "rollback_failed" : kept.length ? "failed" : "rolled_back";
  const type: EventType = status === "rolled_back" ? "operation.rolled_back" : "operation.failed";
  const code = error instanceof DomainError ? error.code : "DEFECT";
  const data = { what: operation.what, code, kept, left };
  const failure = eventOf(operation.id, 0, operation.target, ports.now().toISOString(), type, data);
  const happened = isCut(undone.steps) ? keptSteps.filter((step) => !endsRecord(step, before)) : keptSteps;
  const { record, events } = outcomeOf(ports, operation, happened, before, undone.now, 1);
  await ports.store.settle(operation.id, {
    ...(ports.claim && { claim: ports.claim }),
    status,
    steps: undone.steps,
    error: { code, message: undone.failed ?? error.message },
    events: [failure, ...events],
    reports: reportedAfter(ports, undone.steps, before, undone.now),
    ...(kept.length > 0 && record !== undefined && { record }),
  });
  const outcome = { operation: operation.id, status, kept: [...kept, ...left] };
  if (undone.failed) {
    const unrepaired = new DomainError(
      "ROLLBACK_FAILED",
      {
        vm: nameOf(undone.now),
        operation: operation.id,
        reason: `${error.message}; ${undone.failed}`,
        left: [...left, ...kept],
      },
      { cause: error },
    );
    unrepaired.outcome = outcome;
    throw unrepaired;
  }
  if (error instanceof DomainError) error.outcome = outcome;
  throw error;
}

/** Records that the outcome is unknown. The operation stays open. @throws DomainError OUTCOME_UNKNOWN */
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
    ...(ports.claim && { claim: ports.claim }),
    status: "unknown",
    steps,
    error: { code: "OUTCOME_UNKNOWN", message: error.message },
    events: operation.status === "unknown" ? [] : [event],
  });
  const until = inFlightUntil(steps, ports.now());
  throw new DomainError(
    "OUTCOME_UNKNOWN",
    { vm: operation.target.uuid, operation: operation.id, reason: error.message, ...(until && { until }) },
    { cause: error },
  );
}

/** The result of these steps: the state with its record, the row to write (`null` removes it, absent leaves it), and
 * the events. */
function outcomeOf(
  ports: Ports,
  operation: Operation,
  steps: readonly Step[],
  before: State,
  seen: State,
  firstEvent: number,
) {
  let after = withRecord(seen, before.record ?? null);
  for (const { change } of steps) {
    const { record } = definitionOf(change);
    if (record) after = withRecord(after, record(after.record, after, change));
  }
  const time = ports.now().toISOString();
  const about = { name: nameOf(after, before), actor: operation.actor };
  const events = steps
    .flatMap(({ change, before: was }) => definitionOf(change).events?.(was, after, change) ?? [])
    .map(({ type, data }, place) =>
      eventOf(operation.id, firstEvent + place, operation.target, time, type, { ...data, ...about }),
    );
  const known = { ...seenOf(after), ...fingerprintOf(steps, before, after) };
  const record = after.record ? { ...after.record, ...known } : before.record ? null : undefined;
  return { after, record, events };
}

/** A change on top of another program's edit keeps that edit, which a finding must still show. */
function fingerprintOf(steps: readonly Step[], { vm, record }: State, after: State): Pick<VmRecord, "fingerprint"> {
  if (!after.vm) return {};
  const takes = steps.some(({ change }) => definitionOf(change).takesDefinition);
  const isOurs = record?.fingerprint === undefined || record.fingerprint === vm?.fingerprint;
  if (!takes && !(isOurs && steps.some(({ change }) => writesDefinition(change)))) return {};
  // A step that another process recognised as done says nothing of what it wrote, and neither does an earlier one.
  const last = steps.findLast(({ change }) => definitionOf(change).takesDefinition || writesDefinition(change));
  return { fingerprint: last?.wrote ?? after.vm.fingerprint };
}

/** Whether the operation passed its pivot and left a planned step undone. */
const isCut = (steps: readonly Step[]): boolean => steps.some(({ status }) => status === "planned");

/** While parts of a VM are left its record stays, since only the record knows them: a second deletion removes the
 * rest. */
const endsRecord = ({ change }: Step, before: State): boolean =>
  before.record !== undefined && definitionOf(change).record?.(before.record, before, change) === null;

const inWords = ({ change }: Step): string => definitionOf(change).summary(change);

/** The last observed values, for the columns that people query and for lists while the backend is away. */
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
