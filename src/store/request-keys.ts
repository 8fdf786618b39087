/** Keys of requests that may be sent again. The holder's liveness shows which requests are under way, so a dead process
 * blocks no key; a request that it had begun stays begun. */
import type { KeyTaken, RequestKeys } from "../domain/ports/idempotency.ts";
import { RequestKeyRow } from "./entities.ts";
import { livingOf } from "./living.ts";
import type { Database, Liveness } from "./ports.ts";

/** The number of kept keys, and the size of all their answers in bytes; the newest stay. */
export const REQUEST_KEYS_MAX = 2_000;
export const ANSWERS_BYTES_MAX = 32 * 2 ** 20;

/** The holder of a key with a final answer: none. */
const NOBODY = "";

const beyond = `delete from request_keys where answer is not null and key in (
  select key from (
    select key, row_number() over newest as place, sum(length(answer)) over newest as size
    from request_keys where answer is not null window newest as (order by expires_at desc, key))
  where place > ${REQUEST_KEYS_MAX} or size > ${ANSWERS_BYTES_MAX})`;

export const createRequestKeyStore = (database: Database, liveness: Liveness, now: () => Date): RequestKeys => ({
  async takeKey(key, request, forMs): Promise<KeyTaken> {
    await liveness.hold();
    return database.write(async (em): Promise<KeyTaken> => {
      const at = now().getTime();
      await em.nativeDelete(RequestKeyRow, { expiresAt: { $lte: at }, answer: { $ne: null } });
      const found = await em.findOne(RequestKeyRow, { key });
      if (found && found.request !== request) return { kind: "other" };
      if (found && found.holder !== NOBODY && (await liveness.isAlive(found.holder))) return { kind: "under_way" };
      if (typeof found?.answer === "string") return { kind: "answered", answer: found.answer };
      await em.nativeDelete(RequestKeyRow, { key });
      await em.insert(RequestKeyRow, { key, request, holder: liveness.id, answer: null, expiresAt: at + forMs });
      return { kind: "taken" };
    });
  },

  async beginKey(key, answer): Promise<void> {
    await database.write((em) => em.nativeUpdate(RequestKeyRow, { key, holder: liveness.id }, { answer }));
  },

  async answerKey(key, answer): Promise<void> {
    await database.write(async (em) => {
      await em.nativeUpdate(RequestKeyRow, { key, holder: liveness.id }, { answer, holder: NOBODY });
      await em.execute(beyond);
    });
  },

  async giveKeyBack(key): Promise<void> {
    await database.write((em) => em.nativeDelete(RequestKeyRow, { key, holder: liveness.id, answer: null }));
  },
});

/** Removes the keys of requests whose process died before it answered. Such a request runs anew when it is sent
 * again. */
export async function pruneKeys(database: Database, liveness: Liveness): Promise<void> {
  const held = "select distinct holder from request_keys where answer is null";
  const rows = await database.read((em) => em.execute<{ holder: string }[]>(held));
  const living = await livingOf(liveness, rows);
  const dead = rows.map((row) => row.holder).filter((id) => !living.has(id));
  if (dead.length === 0) return;
  await database.write((em) => em.nativeDelete(RequestKeyRow, { holder: { $in: dead }, answer: null }));
}
