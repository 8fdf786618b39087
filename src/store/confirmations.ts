/** One-time confirmations. Only a hash of a token is kept, so that a reader of the database cannot confirm anything. */
import { createHash } from "node:crypto";
import { ConfirmationRow } from "./entities.ts";
import type { Database } from "./ports.ts";

/** The number of kept offers; the newest stay. */
export const CONFIRMATIONS_MAX = 1_000;

const beyond = `delete from confirmations where hash not in (
  select hash from confirmations order by expires_at desc, hash limit ${CONFIRMATIONS_MAX})`;

export const createConfirmationStore = (database: Database, now: () => Date) => ({
  async offerConfirmation(token: string, subject: string, ttlMs: number): Promise<void> {
    const at = now().getTime();
    await database.write(async (em) => {
      await em.nativeDelete(ConfirmationRow, { expiresAt: { $lte: at } });
      await em.insert(ConfirmationRow, { hash: hashOf(token), subject, expiresAt: at + ttlMs });
      await em.execute(beyond);
    });
  },

  async takeConfirmation(token: string, subject: string): Promise<boolean> {
    const where = { hash: hashOf(token), subject, expiresAt: { $gt: now().getTime() } };
    return (await database.write((em) => em.nativeDelete(ConfirmationRow, where))) === 1;
  },
});

const hashOf = (token: string): string => createHash("sha256").update(token).digest("hex");
