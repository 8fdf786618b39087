/** What the store needs of a database, of the processes that share it, and of news between them. Everything in this
 * folder is written on these three; `sqlite/` has them on one file. */
import type { EntityManager } from "@mikro-orm/core";

/** MikroORM's entity manager of an SQL database. */
export interface SqlSession extends EntityManager {
  /** Runs SQL with `?` for each parameter. */
  execute<T>(query: string, parameters?: readonly unknown[], method?: "all" | "get" | "run"): Promise<T>;
}

/** A database that several processes share. Faults of the outside world are errors of the domain: STORE_LOCKED,
 * STORE_READ_ONLY, STORE_CORRUPT, STORE_UNAVAILABLE. */
export interface Database {
  /** Reads outside a transaction: each query sees one moment. */
  read<T>(work: (em: SqlSession) => Promise<T>): Promise<T>;
  /** Runs the work in one transaction, durable when this returns. Transactions of all processes run one after another: what
   * the work reads stays true until it ends, and events are numbered in the order in which they can be read. The work may
   * run again, so it does nothing but read and write this database. */
  write<T>(work: (em: SqlSession) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

/** Who is alive. A holder that was dead once is never alive again: what it held may be somebody else's by now. */
export interface Liveness {
  /** This process's id. */
  readonly id: string;
  /** Makes this process alive to the others until it closes or ends, however it ends.
   * @throws DomainError STORE_UNAVAILABLE once the others take it for dead */
  hold(): Promise<void>;
  isHeld(): boolean;
  /** Whether the process with this id lives. This process lives to itself, held or not. */
  isAlive(id: string): Promise<boolean>;
  close(): Promise<void>;
}

/** Word that something was written. A call may come late, once for many writes, or for none; it may fail to come, so
 * whoever listens looks now and then all the same. */
export interface ChangeFeed {
  /** Says that this process has written. */
  notify(): void;
  /** Calls back after a write of this process or of another, when it can be read. Returns what ends it. */
  subscribe(listener: () => void): () => void;
  close(): Promise<void>;
}
