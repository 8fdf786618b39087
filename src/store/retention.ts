/** Removes old history, in small transactions, so that no process waits long for the write lock. The file reuses the
 * space. */
import { DomainError } from "../domain/error.ts";
import { SettingRow } from "./entities.ts";
import type { Database, SqlSession } from "./ports.ts";

/** How much history stays. Operations that are `begun` or `unknown` always stay, and so do the newest few of every VM
 * on record, whatever their age. */
export type Retention = Readonly<{
  /** The limit for all VMs together, gone ones included. */
  operations: number;
  operationsPerVm: number;
  operationAgeMs: number;
  definitionsPerVm: number;
  definitionAgeMs: number;
  events: number;
}>;

/** The numbers of removed operations, of removed definitions of operations that stay, and of removed events. */
export type Pruned = Readonly<{ operations: number; definitions: number; events: number }>;

const dayMs = 24 * 60 * 60_000;
export const defaultRetention: Retention = {
  operations: 50_000,
  operationsPerVm: 200,
  operationAgeMs: 365 * dayMs,
  definitionsPerVm: 20,
  definitionAgeMs: 90 * dayMs,
  events: 10_000,
};

/** The number of newest operations of a VM on record that stay whatever their age. */
const newestMin = 10;
const rowsPerTransaction = 200;
const settlementsBetween = 50;
const SETTLEMENTS = "settlements";
const eventsBetween = 500;

const numbered = "row_number() over (partition by connection, uuid order by begun_at desc, id desc) as place";
const ended = "status not in ('begun', 'unknown')";

const operations = `delete from operations where id in (
  select id from (select id, connection, uuid, begun_at, status, ${numbered},
    row_number() over (order by begun_at desc, id desc) as overall from operations) as o
  where ${ended} and (place > ? or ((begun_at < ? or overall > ?) and (place > ${newestMin}
    or not exists (select 1 from vms v where v.connection = o.connection and v.uuid = o.uuid))))
  limit ${rowsPerTransaction})`;

const definitions = `update operations set definition = null where id in (
  select id from (select id, begun_at, status, ${numbered} from operations where definition is not null)
  where ${ended} and (place > ? or begun_at < ?) limit ${rowsPerTransaction})`;

/** Removes the further targets of removed operations. */
const orphans = "delete from operation_targets where operation not in (select id from operations)";

/** The number of ended jobs that stay; the newest. */
export const JOBS_KEPT = 1_000;
const jobs = `delete from jobs where id in (
  select id from (select id, ended_at, row_number() over (order by started_at desc, id desc) as place from jobs)
  where ended_at is not null and place > ? limit ${rowsPerTransaction})`;

/** A subscriber that was not served for this long, such as a removed plugin, is removed with its waiting deliveries. */
export const UNSERVED_MS = 30 * dayMs;
const unserved = "(select name from subscribers where served_at < ?)";
const deliveries = `delete from deliveries where (subscriber, seq) in (
  select subscriber, seq from deliveries where subscriber in ${unserved} limit ${rowsPerTransaction})`;
const subscribers = `delete from subscribers where name in ${unserved}
  and not exists (select 1 from deliveries d where d.subscriber = name)`;

/** The number of events that stay for subscribers that have not received them yet. */
export const UNTOLD_MAX = 100_000;
const nth = "(select seq from events order by seq desc limit 1 offset ?)";
const events = `delete from events where seq in (
  select seq from events where seq <= coalesce(${nth}, 0)
    and (seq <= coalesce((select min(place) from subscribers), seq) or seq <= coalesce(${nth}, 0))
  limit ${rowsPerTransaction})`;

export function createRetention(
  database: Database,
  retention: Retention,
  now: () => Date,
  besides: () => Promise<void> = async () => {},
) {
  let running: Promise<void> | undefined;
  let closed = false;
  let appendedSince = 0;

  /** Runs the statement until it removes nothing more. */
  async function all(statement: string, ...values: readonly (number | string)[]): Promise<number> {
    for (let removed = 0; ; ) {
      if (closed) return removed;
      const { affectedRows } = await database.write((em) =>
        em.execute<{ affectedRows: number }>(statement, [...values], "run"),
      );
      removed += affectedRows;
      if (affectedRows < rowsPerTransaction) return removed;
    }
  }

  async function prune(kept: Retention): Promise<Pruned> {
    const { operationsPerVm, operationAgeMs, definitionsPerVm, definitionAgeMs, events: eventsMax } = kept;
    const since = (ageMs: number) => new Date(Math.max(0, now().getTime() - ageMs)).toISOString();
    const removed = await all(operations, operationsPerVm, since(operationAgeMs), kept.operations);
    if (removed > 0) await database.write((em) => em.execute(orphans, [], "run"));
    await all(jobs, JOBS_KEPT);
    for (const statement of [deliveries, subscribers]) await all(statement, since(UNSERVED_MS));
    const pruned = {
      operations: removed,
      definitions: await all(definitions, definitionsPerVm, since(definitionAgeMs)),
      events: await all(events, eventsMax, Math.max(eventsMax, UNTOLD_MAX)),
    };
    if (!closed) await besides();
    return pruned;
  }

  /** Prunes in the background. */
  function soon(): void {
    if (closed) return;
    running ??= prune(retention)
      .then(() => undefined, reportDefect)
      .finally(() => {
        running = undefined;
      });
  }

  return {
    /** Removes history beyond this retention. */
    prune,

    /** Counts a settlement, and returns whether to prune after it. The database keeps the count, since there may be
     * many processes that make one change each and end. */
    async isDue(em: SqlSession): Promise<boolean> {
      const row = await em.findOne(SettingRow, { key: SETTLEMENTS });
      const value = ((row?.value as number | undefined) ?? 0) + 1;
      if (row) await em.nativeUpdate(SettingRow, { key: SETTLEMENTS }, { value });
      else await em.insert(SettingRow, { key: SETTLEMENTS, value });
      return value % settlementsBetween === 0;
    },

    soon,

    /** Counts events that belong to no settlement. */
    appended(events: number): void {
      appendedSince += events;
      if (appendedSince < eventsBetween) return;
      appendedSince = 0;
      soon();
    },

    /** Ends a running pruning after its present transaction. */
    async close(): Promise<void> {
      closed = true;
      await running;
    },
  };
}

/** Ignores refusals, since a database that cannot be written now is pruned another time, and reports everything
 * else. */
function reportDefect(error: unknown): void {
  if (!(error instanceof DomainError)) process.stderr.write(`${error instanceof Error ? error.stack : error}\n`);
}
