/** Migrates a database to this program's schema, or refuses to touch it. */
import type { MikroORM } from "@mikro-orm/sqlite";
import { DomainError } from "../../domain/error.ts";
import { withLock } from "./lock.ts";
import { first } from "./migrations/20261123-first.ts";
import type { OldVmDefaults } from "./migrations/20261123-old-vms.ts";
import { listed } from "./migrations/20261124-listed.ts";
import { events } from "./migrations/20261125-events.ts";
import { idempotency } from "./migrations/20261125-idempotency.ts";
import { suggestion } from "./migrations/20261125-suggestion.ts";
import { fingerprint } from "./migrations/20261126-fingerprint.ts";
import { served } from "./migrations/20261126-served.ts";
import { definitions } from "./migrations/20261129-definitions.ts";
import { jobs } from "./migrations/20261129-jobs.ts";

/** Every migration there is, oldest first. */
export const migrations = [first, listed, events, suggestion, idempotency, fingerprint, served, definitions, jobs];
const table = "mikro_orm_migrations";
/** How long to wait for another process's upgrade, which takes long for a large database. */
const upgradeMsMax = 60_000;

/** Runs the pending migrations of this database. Processes that open it at the same time take turns.
 * @throws DomainError STORE_TOO_NEW, STORE_LOCKED */
export async function migrate(orm: MikroORM, path: string, defaults: OldVmDefaults): Promise<void> {
  const list = migrations.map((migration) => migration(defaults));
  const known = list.map(({ name }) => name);
  if ((await pending(orm, path, known)).length === 0) return;
  await withLock(`${path}.lock`, upgradeMsMax, async () => {
    // Another process may have done it during the wait.
    if ((await pending(orm, path, known)).length === 0) return;
    await refuseDamaged(orm, path);
    // WAL mode comes first, so that other processes can read meanwhile and see that they must wait.
    await execute(orm, "pragma journal_mode = wal");
    // Loaded only when needed: almost every start finds nothing to migrate.
    const { Migrator } = await import("@mikro-orm/migrations");
    // All options are given, since MikroORM would take missing ones from the environment.
    const stated = { tableName: table, transactional: true, allOrNothing: true, silent: true, snapshot: false };
    orm.config.set("migrations", { ...orm.config.get("migrations"), ...stated, migrationsList: list });
    await new Migrator(orm.em).up();
  });
}

/** The names of the pending migrations.
 * @throws DomainError STORE_TOO_NEW */
async function pending(orm: MikroORM, path: string, known: readonly string[]): Promise<string[]> {
  const rows: { name: string }[] = (await has(orm, table))
    ? await execute(orm, `select name from ${table} order by id`)
    : [];
  const done = rows.map(({ name }) => name);
  const unknown = done.filter((name) => !known.includes(name));
  if (unknown.length > 0) {
    throw new DomainError("STORE_TOO_NEW", { path, found: unknown.join(", "), known: known.at(-1) ?? "nothing" });
  }
  return known.filter((name) => !done.includes(name));
}

/** Checks that the whole database is readable, since an upgrade rewrites what it reads. */
async function refuseDamaged(orm: MikroORM, path: string): Promise<void> {
  const rows = await execute<{ quick_check: string }>(orm, "pragma quick_check(5)");
  const damage = rows.map((row) => row.quick_check).filter((line) => line !== "ok");
  if (damage.length > 0) throw new DomainError("STORE_CORRUPT", { path, reason: damage.join("; ") });
}

async function has(orm: MikroORM, name: string): Promise<boolean> {
  return (await execute(orm, "select 1 from sqlite_master where type = 'table' and name = ?", [name])).length > 0;
}

const execute = <Row>(orm: MikroORM, sql: string, values: unknown[] = []) =>
  orm.em.getConnection().execute<Row[]>(sql, values);
