/** How much history stays. Removed in small transactions, so that nobody waits long for the write lock; the space they
 * leave in the file is used again. */
import { DomainError } from "../domain/error.ts";
import { SettingRow } from "./entities.ts";
import type { Database, SqlSession } from "./ports.ts";

/** How much history stays. Operations that are begun or ended `unknown` stay whatever it says, and so do the newest few of
 * every VM on record, whatever their age. */
export type Retention = Readonly<{
  /** Of all VMs together, those that are gone included. */
  operations: number;
  operationsPerVm: number;
  operationAgeMs: number;
  definitionsPerVm: number;
  definitionAgeMs: number;
  events: number;
}>;

/** How many operations, definitions of operations that stay, and events were removed. */
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

/** Operations of a VM on record that no age removes. */
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

/** What removed operations held. */
const orphans = "delete from operation_targets where operation not in (select id from operations)";

/** Jobs that have ended, beyond the newest. */
export const JOBS_KEPT = 1_000;
const jobs = `delete from jobs where id in (
  select id from (select id, ended_at, row_number() over (order by started_at desc, id desc) as place from jobs)
  where ended_at is not null and place > ? limit ${rowsPerTransaction})`;

/** A subscriber that nobody has served for so long, a plugin that was removed say, is forgotten with all that it was still
 * to be told. */
export const UNSERVED_MS = 30 * dayMs;
const unserved = "(select name from subscribers where served_at < ?)";
const deliveries = `delete from deliveries where (subscriber, seq) in (
  select subscriber, seq from deliveries where subscriber in ${unserved} limit ${rowsPerTransaction})`;
const subscribers = `delete from subscribers where name in ${unserved}
  and not exists (select 1 from deliveries d where d.subscriber = name)`;

/** What a subscriber has not been told yet stays longer than the rest, but not for ever. */
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

  /** Runs the statement until it finds nothing more to do. */
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

    /** Counts a settlement, and tells whether to prune after it. The database counts and not this process, since there may
     * be many that make one change each and end. */
    async isDue(em: SqlSession): Promise<boolean> {
      const row = await em.findOne(SettingRow, { key: SETTLEMENTS });
      const value = ((row?.value as number | undefined) ?? 0) + 1;
      if (row) await em.nativeUpdate(SettingRow, { key: SETTLEMENTS }, { value });
      else await em.insert(SettingRow, { key: SETTLEMENTS, value });
      return value % settlementsBetween === 0;
    },

    soon,

    /** Events were written that belong to no settlement. */
    appended(events: number): void {
      appendedSince += events;
      if (appendedSince < eventsBetween) return;
      appendedSince = 0;
      soon();
    },

    /** Ends what runs, after its present transaction. */
    async close(): Promise<void> {
      closed = true;
      await running;
    },
  };
}

/** A database that cannot be written now is pruned another time; nothing else may go wrong here. */
function reportDefect(error: unknown): void {
  if (!(error instanceof DomainError)) process.stderr.write(`${error instanceof Error ? error.stack : error}\n`);
}
