/** Maps rows to the domain's values and back. An absent value is NULL in a row. */
import { journalRowOf, readJournalRow } from "../domain/changes/journal.ts";
import type { Operation } from "../domain/changes/operation.ts";
import type { Job } from "../domain/model/job.ts";
import type { Target } from "../domain/model/vm.ts";
import type { VmRecord } from "../domain/model/vm-record.ts";
import type { JobRow, OperationRow, VmRow } from "./entities.ts";

type Seen = NonNullable<VmRecord["seen"]>;
type Values<Row> = { [Key in keyof Row as Key extends string ? Key : never]: Row[Key] };

/** The entries that are neither NULL nor undefined. */
function present<T extends Record<string, unknown>>(values: T): { [K in keyof T]?: NonNullable<T[K]> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== null && value !== undefined)) as {
    [K in keyof T]?: NonNullable<T[K]>;
  };
}

/** The columns of the last observed values. */
const seenValues = (seen: Seen | undefined) => ({
  bootOrder: seen?.bootOrder ?? null,
  diskPath: seen?.diskPath ?? null,
  diskSizeBytes: seen?.diskSizeBytes ?? null,
  currentMedia: seen?.media ?? null,
  currentBootDevice: seen?.bootDevice ?? null,
});

/** The columns that an operation may change; the store itself keeps `version`, `createdAt` and `updatedAt`. */
export const vmValues = (record: VmRecord) => ({
  name: record.name,
  installationStatus: record.status,
  requestedOrder: record.requestedOrder ?? null,
  roles: record.roles,
  ownedFiles: record.ownedFiles,
  isoIdentity: record.isoIdentity ?? null,
  currentRun: record.currentRun ?? null,
  suggestion: record.suggestion ?? null,
  fingerprint: record.fingerprint ?? null,
  revision: record.revision,
  origin: record.origin,
  ...seenValues(record.seen),
});

export function recordOf(row: Values<VmRow>): VmRecord {
  const seen: Seen = present({
    bootOrder: row.bootOrder,
    diskPath: row.diskPath,
    diskSizeBytes: row.diskSizeBytes,
    media: row.currentMedia,
    bootDevice: row.currentBootDevice,
  });
  const { connection, uuid, name, roles, ownedFiles, revision, origin, createdAt, updatedAt } = row;
  return {
    connection,
    uuid,
    name,
    roles,
    status: row.installationStatus,
    ownedFiles,
    revision,
    origin,
    createdAt,
    updatedAt,
    ...present({
      requestedOrder: row.requestedOrder,
      isoIdentity: row.isoIdentity,
      currentRun: row.currentRun,
      suggestion: row.suggestion,
      fingerprint: row.fingerprint,
      seen: Object.keys(seen).length > 0 ? seen : undefined,
    }),
  };
}

export const operationValues = (operation: Operation, holder: string) => ({
  id: operation.id,
  ...journalRowOf(operation),
  name: nameOf(operation),
  ...operation.target,
  actor: operation.actor,
  what: operation.what,
  direction: operation.direction,
  status: operation.status,
  definition: operation.definition ?? null,
  holder,
  error: operation.error ?? null,
  begunAt: operation.begunAt,
  settledAt: operation.settledAt ?? null,
});

/** The VM's name, by which its operations are found once it is gone. */
const nameOf = ({ before, steps }: Operation): string | null => {
  return before?.vm?.name ?? before?.record?.name ?? steps.at(-1)?.goal.vm?.name ?? null;
};

/** `others`: the targets that it holds beside its own VM. */
export function operationOf(row: Values<OperationRow>, others: readonly Target[] = []): Operation {
  const { id, connection, uuid, actor, what, direction, status, begunAt } = row;
  const optional = present({ definition: row.definition, settledAt: row.settledAt, error: row.error });
  const journal = readJournalRow(row);
  const target = { connection, uuid };
  const held = others.length > 0 && { targets: [target, ...others] };
  return { id, target, ...held, actor, what, direction, status, ...journal, begunAt, ...optional };
}

export const jobValues = (job: Job, holder: string) => ({
  id: job.id,
  kind: job.kind,
  title: job.title,
  actor: job.actor,
  connection: job.target?.connection ?? null,
  uuid: job.target?.uuid ?? null,
  name: job.name ?? null,
  input: job.input,
  checkpoint: job.checkpoint ?? null,
  attempts: job.attempts,
  status: job.status,
  percent: job.percent ?? null,
  message: job.message ?? null,
  result: job.result ?? null,
  error: job.error ?? null,
  holder,
  startedAt: job.startedAt,
  updatedAt: job.updatedAt,
  endedAt: job.endedAt ?? null,
});

export function jobOf(row: Values<JobRow>): Job {
  const { id, kind, title, actor, connection, uuid, input, attempts, status, startedAt, updatedAt } = row;
  const target = connection != null && uuid != null && { target: { connection, uuid } };
  const { name, checkpoint, percent, message, result, error, endedAt } = row;
  const optional = present({ name, checkpoint, percent, message, result, error, endedAt });
  return { id, kind, title, actor, ...target, input, attempts, status, startedAt, updatedAt, ...optional };
}
