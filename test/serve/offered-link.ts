/** Links on a real store, for the tests of what guests may call. */
import { linkPath, linkSubject, newLinkToken } from "../../src/domain/guest-link.ts";
import { openSqliteStore, type SqliteStore } from "../../src/store/sqlite/store.ts";

export const HOUR_MS = 3_600_000;
/** A VM that a link may be for. */
export const vm = { connection: "local", uuid: "0a6b7f52-1111-4222-8333-444455556666" };
export const newId = () => crypto.randomUUID();
export const storeIn = (directory: string, now = () => new Date()) =>
  openSqliteStore({ directory, imageDirectory: "/images", connection: "local", newId, now });

/** Offers a link, and answers with its path. */
export async function offer(store: SqliteStore, target = vm, ttlMs = HOUR_MS, plugin = "phone-home"): Promise<string> {
  const token = newLinkToken(newId, new Date(Date.now() + ttlMs));
  await store.offerConfirmation(token, linkSubject(plugin, target), ttlMs);
  return linkPath(plugin, target.uuid, token);
}
