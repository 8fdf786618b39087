/** `node:sqlite` as MikroORM's database, which needs no native module and no permission for one on Deno. */
import { NodeSqliteDialect } from "@mikro-orm/sqlite";

type Driver = ReturnType<NodeSqliteDialect["createDriver"]>;
type Adapter = ReturnType<NodeSqliteDialect["createAdapter"]>;
type Connection = Awaited<ReturnType<Driver["acquireConnection"]>>;
type Query = Parameters<Connection["executeQuery"]>[0];

export class StoreDialect extends NodeSqliteDialect {
  /** Begins every transaction with the write lock. A deferred one takes it at its first write, where SQLite cannot
   * wait: what was read before may be stale by then, and the transaction fails with SQLITE_BUSY_SNAPSHOT. */
  override createDriver(): Driver {
    const driver = super.createDriver();
    const acquire = driver.acquireConnection.bind(driver);
    driver.acquireConnection = async (options) => withoutNul(await acquire(options));
    driver.beginTransaction = async (connection) => {
      await connection.executeQuery({ sql: "begin immediate", parameters: [] } as unknown as Query);
    };
    return driver;
  }

  /** Switches off Kysely's own mutex on the one connection, which `database.ts` replaces: a transaction that cannot
   * begin (another process has the lock) or roll back (SQLite did it already on a full disk) would hold that mutex for
   * ever, and every later query would wait for it. */
  override createAdapter(): Adapter {
    return Object.defineProperty(super.createAdapter(), "supportsMultipleConnections", { value: true });
  }
}

/** Removes NUL characters. MikroORM writes values into the SQL text, which SQLite reads only up to the first NUL. A
 * client's name may contain one and must not break its statement. */
function withoutNul(connection: Connection): Connection {
  return {
    executeQuery: (query, ...rest) =>
      connection.executeQuery({ ...query, sql: query.sql.replaceAll("\0", "\ufffd") }, ...rest),
    streamQuery: connection.streamQuery.bind(connection),
  };
}
