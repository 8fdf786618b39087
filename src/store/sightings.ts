/** What was last seen of each VM, and the events that differ from it: written together, or not at all. */
import type { EntityManager } from "@mikro-orm/sqlite";
import type { DomainEvent } from "../domain/model/event.ts";
import type { ReportedState } from "../domain/model/reported-state.ts";
import type { Target } from "../domain/model/vm.ts";
import type { ReportedRevision, ReportOutcome } from "../domain/ports/event-store.ts";
import type { Settlement } from "../domain/ports/store.ts";
import type { Database } from "./database.ts";
import { ClaimRow, SettingRow, SightingRow } from "./entities.ts";
import { append } from "./event-row.ts";
import type { Holder } from "./holder.ts";
import { leftOn } from "./open-operation.ts";
import { keyOf } from "./records.ts";

export const sightingsIn = (database: Database, holder: Holder, appended: (events: number) => void) => ({
  async reportedState(target: Target): Promise<ReportedRevision | undefined> {
    const row = await database.read((em) => em.findOne(SightingRow, keyOf(target)));
    return row ? seenOf(row) : undefined;
  },

  async reportedStates(connection: string): Promise<ReportedRevision[]> {
    return (await database.read((em) => em.find(SightingRow, { connection }))).map(seenOf);
  },

  async report(
    target: Target,
    expect: number | undefined,
    sighting: ReportedState | null,
    events: readonly DomainEvent[],
  ): Promise<ReportOutcome> {
    const told = await database.write(async (em): Promise<ReportOutcome> => {
      if (await isHeld(em, holder, target)) return "held";
      const row = await em.findOne(SightingRow, keyOf(target), { fields: ["revision"] });
      if (row?.revision !== expect) return "stale";
      await putSighting(em, target, sighting);
      for (const event of events) await append(em, event);
      return "told";
    });
    if (told === "told") appended(events.length);
    return told;
  },

  async note(event: DomainEvent): Promise<void> {
    await database.write((em) => append(em, event));
    appended(1);
  },

  async isWatched(connection: string): Promise<boolean> {
    return (await database.read((em) => em.count(SettingRow, { key: watchedKey(connection) }))) > 0;
  },

  async initReportedStates(connection: string, all: readonly ReportedState[]): Promise<void> {
    for (let begun = 0; begun < all.length; begun += SIGHTINGS_AT_ONCE)
      await database.write(async (em) => {
        for (const sighting of all.slice(begun, begun + SIGHTINGS_AT_ONCE))
          if ((await em.count(SightingRow, keyOf(sighting))) === 0) await putSighting(em, sighting, sighting);
      });
    const key = watchedKey(connection);
    await database.write(async (em) => {
      if ((await em.count(SettingRow, { key })) === 0) await em.insert(SettingRow, { key, value: true });
    });
  },
});

/** Operations leave sightings too, so that there are some says nothing. */
const watchedKey = (connection: string) => `watched:${connection}`;

/** In one transaction: nobody else writes meanwhile. */
const SIGHTINGS_AT_ONCE = 100;

/** A dead process holds nothing; the operation that it left is settled by whoever recovers it, and tells what it saw. */
async function isHeld(em: EntityManager, holder: Holder, target: Target): Promise<boolean> {
  const claim = await em.findOne(ClaimRow, keyOf(target), { fields: ["holder"] });
  if (claim && holder.isAlive(claim.holder)) return true;
  return (await leftOn(em, target)).length > 0;
}

const seenOf = ({ body, revision }: Pick<SightingRow, "body" | "revision">): ReportedRevision => ({
  reportedState: body,
  revision,
});

/** Within the transaction that says why. */
async function putSighting(em: EntityManager, target: Target, sighting: ReportedState | null): Promise<void> {
  const key = keyOf(target);
  if (sighting === null) {
    await em.nativeDelete(SightingRow, key);
    return;
  }
  const row = await em.findOne(SightingRow, key, { fields: ["revision"] });
  if (row) await em.nativeUpdate(SightingRow, key, { body: sighting, revision: row.revision + 1 });
  else await em.insert(SightingRow, { ...key, body: sighting, revision: 1 });
}

/** What an operation reports behind. Returns the events that it takes. */
export async function leaveSighting(
  em: EntityManager,
  target: Target,
  reports: NonNullable<Settlement["reports"]>,
): Promise<readonly DomainEvent[]> {
  const { sighting, events } = reports((await em.findOne(SightingRow, keyOf(target)))?.body);
  await putSighting(em, target, sighting);
  return events;
}
