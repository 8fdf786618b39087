import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { MikroORM, NodeSqliteDialect, SqliteDriver } from "@mikro-orm/sqlite";
import { expect, test } from "vitest";
import { entities } from "../../../src/store/entities.ts";
import { databaseOf, open, sql, temporaryDirectory } from "../fixture.ts";

const columns = (directory: string, table: string) =>
  sql(directory, `select name, type, "notnull", pk from pragma_table_info('${table}') order by name`);

/** Goal: what MikroORM believes of the tables is what the migrations made. Method: MikroORM makes a database of the
 * entities, and the columns are compared. What only the migrations know (defaults, checks, generated columns, indexes)
 * is not seen from here. */
test("The entities and the migrated schema have the same columns", async () => {
  const migrated = temporaryDirectory();
  await (await open(migrated)).close();
  const believed = join(migrated, "believed");
  mkdirSync(believed);
  const path = databaseOf(believed);
  const orm = await MikroORM.init({
    driver: SqliteDriver,
    dbName: path,
    driverOptions: new NodeSqliteDialect(path),
    entities,
  });
  await orm.schema.create();
  await orm.close();
  for (const { meta } of entities) expect(columns(migrated, meta.tableName)).toEqual(columns(believed, meta.tableName));
});
