/** What was last seen of each VM, and the events that differ from it: written together, or not at all. */
import type { EntityManager } from "@mikro-orm/sqlite";
import type { DomainEvent } from "../domain/event.ts";
import type { Seen, Told } from "../domain/journal.ts";
import type { Sighting } from "../domain/sighting.ts";
import type { Target } from "../domain/vm.ts";
import type { Database } from "./database.ts";
import { ClaimRow, SightingRow } from "./entities.ts";
import { append } from "./event-row.ts";
import { leftOn } from "./open-operation.ts";
import { keyOf } from "./records.ts";

export const sightingsIn = (database: Database, appended: (events: number) => void) => ({
  async sighting(target: Target): Promise<Seen | undefined> {
    const row = await database.read((em) => em.findOne(SightingRow, keyOf(target)));
    return row ? seenOf(row) : undefined;
  },

  async sightings(connection: string): Promise<Seen[]> {
    return (await database.read((em) => em.find(SightingRow, { connection }))).map(seenOf);
  },

  async tell(
    target: Target,
    expect: number | undefined,
    sighting: Sighting | null,
    events: readonly DomainEvent[],
  ): Promise<Told> {
    const told = await database.write(async (em): Promise<Told> => {
      if (await isHeld(em, target)) return "held";
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

  async beginSightings(all: readonly Sighting[]): Promise<void> {
    for (let begun = 0; begun < all.length; begun += SIGHTINGS_AT_ONCE)
      await database.write(async (em) => {
        for (const sighting of all.slice(begun, begun + SIGHTINGS_AT_ONCE))
          if ((await em.count(SightingRow, keyOf(sighting))) === 0) await putSighting(em, sighting, sighting);
      });
  },
});

/** In one transaction: nobody else writes meanwhile. */
const SIGHTINGS_AT_ONCE = 100;

/** What a dead process left is settled by whoever recovers it, and tells what it saw. */
async function isHeld(em: EntityManager, target: Target): Promise<boolean> {
  if ((await em.count(ClaimRow, keyOf(target))) > 0) return true;
  return (await leftOn(em, target)).length > 0;
}

const seenOf = ({ body, revision }: Pick<SightingRow, "body" | "revision">): Seen => ({ sighting: body, revision });

/** Within the transaction that says why. */
async function putSighting(em: EntityManager, target: Target, sighting: Sighting | null): Promise<void> {
  const key = keyOf(target);
  if (sighting === null) {
    await em.nativeDelete(SightingRow, key);
    return;
  }
  const row = await em.findOne(SightingRow, key, { fields: ["revision"] });
  if (row) await em.nativeUpdate(SightingRow, key, { body: sighting, revision: row.revision + 1 });
  else await em.insert(SightingRow, { ...key, body: sighting, revision: 1 });
}

/** What an operation leaves behind, which did not look at what was last told. What the guest did meanwhile is no doing of
 * the operation and not told by it: that stays to be told. */
export async function leaveSighting(em: EntityManager, target: Target, sighting: Sighting | null): Promise<void> {
  if (sighting === null) return putSighting(em, target, null);
  const known = (await em.findOne(SightingRow, keyOf(target)))?.body;
  const told = known?.run === sighting.run ? known : undefined;
  await putSighting(em, target, {
    ...sighting,
    ejected: sighting.ejected.filter((drive) => told?.ejected.includes(drive)),
    lowSpace: told?.lowSpace ?? [],
    agent: sighting.agent && (told?.agent ?? false),
    reboots: told?.reboots ?? 0,
    ...(told?.readAtReset && { readAtReset: told.readAtReset }),
  });
}
