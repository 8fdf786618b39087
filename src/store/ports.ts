/** The store's interfaces to a database, to the processes that share it, and to a feed of their writes. This folder
 * uses only these three; `sqlite/` implements them on one file. */
import type { EntityManager } from "@mikro-orm/core";

/** MikroORM's entity manager of an SQL database. */
export interface SqlSession extends EntityManager {
  /** Runs SQL with `?` for each parameter. */
  execute<T>(query: string, parameters?: readonly unknown[], method?: "all" | "get" | "run"): Promise<T>;
}

/** A database that several processes share. External faults are DomainErrors: STORE_LOCKED, STORE_READ_ONLY,
 * STORE_CORRUPT, STORE_UNAVAILABLE. */
export interface Database {
  /** Reads outside a transaction: each query sees one snapshot. */
  read<T>(work: (em: SqlSession) => Promise<T>): Promise<T>;
  /** Runs the work in one transaction, durable when this returns. Transactions of all processes run one after another:
   * values that the work reads stay valid until it ends, and events are numbered in the order in which they become
   * readable. The work may run again, so it must only read and write this database. */
  write<T>(work: (em: SqlSession) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

/** The liveness of processes. A process that was dead once never counts as alive again, since its claims may be taken
 * over. */
export interface Liveness {
  /** This process's id. */
  readonly id: string;
  /** Makes this process count as alive until it closes or ends, however it ends.
   * @throws DomainError STORE_UNAVAILABLE once other processes count it as dead */
  hold(): Promise<void>;
  isHeld(): boolean;
  /** Whether the process with this id lives. For its own id it is always true. */
  isAlive(id: string): Promise<boolean>;
  close(): Promise<void>;
}

/** A feed of writes. A call may come late, once for many writes, or without one. It may also be missed, so listeners
 * must poll as well. */
export interface ChangeFeed {
  /** Notes that this process has written. */
  notify(): void;
  /** Calls back after a write of this or another process, once it can be read. Returns a function that ends the
   * subscription. */
  subscribe(listener: () => void): () => void;
  close(): Promise<void>;
}
