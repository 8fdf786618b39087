/** The last reported state of each VM. A new state and its events are written together or not at all. */
import type { DomainEvent } from "../domain/model/event.ts";
import type { ReportedState } from "../domain/model/reported-state.ts";
import type { Target } from "../domain/model/vm.ts";
import type { ReportedRevision, ReportOutcome } from "../domain/ports/event-store.ts";
import type { Settlement } from "../domain/ports/store.ts";
import { ClaimRow, ReportedStateRow, SettingRow } from "./entities.ts";
import { appendEvent } from "./events.ts";
import { openOperationsOn } from "./open-operations.ts";
import type { Database, Liveness, SqlSession } from "./ports.ts";
import { keyOf } from "./records.ts";

export const createReportedStateStore = (
  database: Database,
  liveness: Liveness,
  appended: (events: number) => void,
) => ({
  async reportedState(target: Target): Promise<ReportedRevision | undefined> {
    const row = await database.read((em) => em.findOne(ReportedStateRow, keyOf(target)));
    return row ? revisionOf(row) : undefined;
  },

  async reportedStates(connection: string): Promise<ReportedRevision[]> {
    return (await database.read((em) => em.find(ReportedStateRow, { connection }))).map(revisionOf);
  },

  async report(
    target: Target,
    expect: number | undefined,
    reportedState: ReportedState | null,
    events: readonly DomainEvent[],
  ): Promise<ReportOutcome> {
    const outcome = await database.write(async (em): Promise<ReportOutcome> => {
      if (await isHeld(em, liveness, target)) return "held";
      const row = await em.findOne(ReportedStateRow, keyOf(target), { fields: ["revision"] });
      if (row?.revision !== expect) return "stale";
      await putReportedState(em, target, reportedState);
      for (const event of events) await appendEvent(em, event);
      return "reported";
    });
    if (outcome === "reported") appended(events.length);
    return outcome;
  },

  async isWatched(connection: string): Promise<boolean> {
    return (await database.read((em) => em.count(SettingRow, { key: watchedKey(connection) }))) > 0;
  },

  async initReportedStates(connection: string, all: readonly ReportedState[]): Promise<void> {
    for (let begun = 0; begun < all.length; begun += STATES_PER_TRANSACTION)
      await database.write(async (em) => {
        for (const reportedState of all.slice(begun, begun + STATES_PER_TRANSACTION))
          if ((await em.count(ReportedStateRow, keyOf(reportedState))) === 0)
            await putReportedState(em, reportedState, reportedState);
      });
    const key = watchedKey(connection);
    await database.write(async (em) => {
      if ((await em.count(SettingRow, { key })) === 0) await em.insert(SettingRow, { key, value: true });
    });
  },
});

/** The key that marks a connection as watched. Reported states alone prove nothing, since operations write them,
 * too. */
const watchedKey = (connection: string) => `watched:${connection}`;

/** States per transaction, since no other process can write during one. */
const STATES_PER_TRANSACTION = 100;

/** Whether an operation holds the VM. A dead process holds nothing; recovery settles its operation and reports its
 * effects. */
async function isHeld(em: SqlSession, liveness: Liveness, target: Target): Promise<boolean> {
  const claim = await em.findOne(ClaimRow, keyOf(target), { fields: ["holder"] });
  if (claim && (await liveness.isAlive(claim.holder))) return true;
  return (await openOperationsOn(em, [target])).length > 0;
}

const revisionOf = ({ body, revision }: Pick<ReportedStateRow, "body" | "revision">): ReportedRevision => ({
  reportedState: body,
  revision,
});

/** Writes the state, within the transaction of the report or settlement. */
async function putReportedState(em: SqlSession, target: Target, reportedState: ReportedState | null): Promise<void> {
  const key = keyOf(target);
  if (reportedState === null) {
    await em.nativeDelete(ReportedStateRow, key);
    return;
  }
  const row = await em.findOne(ReportedStateRow, key, { fields: ["revision"] });
  if (row) await em.nativeUpdate(ReportedStateRow, key, { body: reportedState, revision: row.revision + 1 });
  else await em.insert(ReportedStateRow, { ...key, body: reportedState, revision: 1 });
}

/** Applies an operation's report to the reported state. Returns the report's events. */
export async function writeReports(
  em: SqlSession,
  target: Target,
  reports: NonNullable<Settlement["reports"]>,
): Promise<readonly DomainEvent[]> {
  const { reportedState, events } = reports((await em.findOne(ReportedStateRow, keyOf(target)))?.body);
  await putReportedState(em, target, reportedState);
  return events;
}
