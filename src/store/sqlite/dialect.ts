/** `node:sqlite` as MikroORM's database: no native module to install, and none to permit on Deno. */
import { NodeSqliteDialect } from "@mikro-orm/sqlite";

type Driver = ReturnType<NodeSqliteDialect["createDriver"]>;
type Adapter = ReturnType<NodeSqliteDialect["createAdapter"]>;
type Connection = Awaited<ReturnType<Driver["acquireConnection"]>>;
type Query = Parameters<Connection["executeQuery"]>[0];

export class StoreDialect extends NodeSqliteDialect {
  /** Begins every transaction with the write lock. A deferred one takes it at its first write, where SQLite cannot wait:
   * what was read before may be stale by then, and the transaction fails with SQLITE_BUSY_SNAPSHOT. */
  override createDriver(): Driver {
    const driver = super.createDriver();
    const acquire = driver.acquireConnection.bind(driver);
    driver.acquireConnection = async (options) => withoutNul(await acquire(options));
    driver.beginTransaction = async (connection) => {
      await connection.executeQuery({ sql: "begin immediate", parameters: [] } as unknown as Query);
    };
    return driver;
  }

  /** Switches off Kysely's own turn-taking on the one connection, which `database.ts` does instead: a transaction that
   * cannot begin (somebody else has the lock) or roll back (SQLite did it already, the disk being full) would keep
   * Kysely's turn for ever, and every later query would wait for it. */
  override createAdapter(): Adapter {
    return Object.defineProperty(super.createAdapter(), "supportsMultipleConnections", { value: true });
  }
}

/** MikroORM writes values into the SQL text, which SQLite reads up to the first NUL character. None of our texts has
 * one by right; a client's name for itself may, and must not break the statement it stands in. */
function withoutNul(connection: Connection): Connection {
  return {
    executeQuery: (query, ...rest) =>
      connection.executeQuery({ ...query, sql: query.sql.replaceAll("\0", "\ufffd") }, ...rest),
    streamQuery: connection.streamQuery.bind(connection),
  };
}
