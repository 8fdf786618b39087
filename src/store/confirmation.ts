/** One-time confirmations. Only a hash of a token is kept: who reads the database cannot confirm anything. */
import { createHash } from "node:crypto";
import type { Database } from "./database.ts";
import { ConfirmationRow } from "./entities.ts";

export const confirmationsIn = (database: Database, now: () => Date) => ({
  async offerConfirmation(token: string, subject: string, ttlMs: number): Promise<void> {
    const at = now().getTime();
    await database.write(async (em) => {
      await em.nativeDelete(ConfirmationRow, { expiresAt: { $lte: at } });
      await em.insert(ConfirmationRow, { hash: hashOf(token), subject, expiresAt: at + ttlMs });
    });
  },

  async takeConfirmation(token: string, subject: string): Promise<boolean> {
    const where = { hash: hashOf(token), subject, expiresAt: { $gt: now().getTime() } };
    return (await database.write((em) => em.nativeDelete(ConfirmationRow, where))) === 1;
  },
});

const hashOf = (token: string): string => createHash("sha256").update(token).digest("hex");
