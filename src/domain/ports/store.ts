/** What the domain needs of a database. */
import type { Operation, OperationStatus, Step } from "../changes/operation.ts";
import type { DomainEvent } from "../model/event.ts";
import type { ReportedState } from "../model/reported-state.ts";
import type { Target } from "../model/vm.ts";
import type { VmRecord } from "../model/vm-record.ts";
import type { DeliveryStore, EventStore, LeaseStore, ReportedStateStore } from "./event-store.ts";
import type { RequestKeys } from "./idempotency.ts";
import type { JobStore } from "./job-store.ts";

/** A claimable thing that is no VM (an image, a template, a backup set). Its kind and name replace the UUID, which
 * never has a colon. */
export const thing = (connection: string, kind: string, name: string): Target => ({
  connection,
  uuid: `${kind}:${name}`,
});

/** Exclusive access to these VMs and things. */
export type Claim = Readonly<{
  targets: readonly Target[];
  /** Operations on any of them that dead processes left open. The holder settles them before anything else. */
  left: readonly Operation[];
  /** Releases them. If the store cannot record the release now, it keeps trying, and this does not fail. */
  release(): Promise<void>;
}>;

export type Settlement = Readonly<{
  status: Exclude<OperationStatus, "begun">;
  steps: readonly Step[];
  error?: Readonly<{ code: string; message: string }>;
  /** The VM's new row; `null` removes it; absent leaves it. */
  record?: VmRecord | null;
  /** Computes from the VM's reported state the new one (`null`: the VM is gone) and its events, which come before those
   * of the operation. Absent leaves the reported state as it is. */
  reports?: (
    reported: ReportedState | undefined,
  ) => Readonly<{ reportedState: ReportedState | null; events: readonly DomainEvent[] }>;
  events: readonly DomainEvent[];
  /** The claim that ends with it, in the same transaction. */
  claim?: Claim;
}>;

export type OperationQuery = Readonly<{
  target?: Target;
  connection?: string;
  status?: readonly OperationStatus[];
  /** The id of the last operation of the page before this one. */
  before?: string;
  limit: number;
}>;
/** A definition that an operation kept from before it, without its text, which may be large and contain passwords. */
export type KeptDefinition = Readonly<{ operation: string; what: string; begunAt: string; bytes: number }>;
/** A copy of the database, and the older copies that were removed for it. */
export type DatabaseCopy = Readonly<{ path: string; bytes: number; removed: readonly string[] }>;
/** Every VM's own record. */
export interface RecordStore {
  record(target: Target): Promise<VmRecord | undefined>;
  records(connection?: string): Promise<VmRecord[]>;
}

/** One operation at a time for each VM or thing, across processes. */
export interface ClaimStore {
  /** Claims several together, in the same order for all callers, so that two callers never wait for each other. Waits
   * at most `waitMs` milliseconds.
   * @throws DomainError VM_BUSY with the holder, its operation and its start */
  claim(
    targets: Target | readonly Target[],
    holder: Readonly<{ actor: string; what: string }>,
    waitMs: number,
    signal?: AbortSignal,
  ): Promise<Claim>;
}

/** The writing side of operations, from beginning to settlement. */
export interface OperationStore {
  begin(operation: Operation): Promise<void>;
  /** Records the progress of a begun operation between its steps. */
  advance(id: string, steps: readonly Step[], direction: Operation["direction"]): Promise<void>;
  /** Writes outcome, VM row and events in one transaction. A second settlement changes nothing. */
  settle(id: string, settlement: Settlement): Promise<void>;
  operation(id: string): Promise<Operation | undefined>;
  /** Operations that are `unknown`, or `begun` by a process that is dead. */
  open(target?: Target): Promise<Operation[]>;
}

/** Past operations, and the definitions that they kept. */
export interface OperationHistory {
  /** Newest first, without the definitions that they kept.
   * @throws DomainError OPERATION_NOT_FOUND for an unknown `before` */
  operations(query: OperationQuery): Promise<Operation[]>;
  /** The VM last created or deleted under this name, on one of these connections. */
  lastNamed(name: string, connections: readonly string[]): Promise<Target | undefined>;
  /** The kept definitions of one VM, newest first. */
  definitions(target: Target, limit: number): Promise<KeptDefinition[]>;
  /** The definition from before this operation; `undefined` if none was kept. */
  definition(operation: string): Promise<string | undefined>;
}

/** One-time confirmations. */
export interface ConfirmationStore {
  /** Stores a confirmation for one use within `ttlMs` milliseconds; only a hash of the token is kept. */
  offerConfirmation(token: string, subject: string, ttlMs: number): Promise<void>;
  /** True once for an unexpired token that was offered for exactly this subject. */
  takeConfirmation(token: string, subject: string): Promise<boolean>;
}

/** Copies of the whole database. Only a store whose database is a file of its own has this. */
export interface DatabaseBackup {
  /** Copies a snapshot of the database into a new file beside it, readable by the owner alone, while others continue to
   * write. The copy contains all kept definitions, passwords included. Only the newest copies are kept.
   * @throws DomainError STORE_UNAVAILABLE, STORE_LOCKED */
  copy(): Promise<DatabaseCopy>;
}

/** The domain's interface to a database. Every write is durable when its method returns. */
export interface Store
  extends RecordStore,
    ClaimStore,
    OperationStore,
    OperationHistory,
    ConfirmationStore,
    RequestKeys,
    EventStore,
    ReportedStateStore,
    LeaseStore,
    DeliveryStore,
    JobStore {
  readonly backup?: DatabaseBackup;
  close(): Promise<void>;
}
