/** What the domain needs of a database. */
import type { Operation, OperationStatus, Step } from "../changes/operation.ts";
import type { DomainEvent } from "../model/event.ts";
import type { ReportedState } from "../model/reported-state.ts";
import type { Target } from "../model/vm.ts";
import type { VmRecord } from "../model/vm-record.ts";
import type { DeliveryStore, EventStore, LeaseStore, ReportedStateStore } from "./event-store.ts";
import type { RequestKeys } from "./idempotency.ts";
import type { JobStore } from "./job-store.ts";

/** Something that is no VM and can be claimed like one (an image, a template, a backup set): its kind and its name stand in
 * the place of a UUID, which never has a colon. */
export const thing = (connection: string, kind: string, name: string): Target => ({
  connection,
  uuid: `${kind}:${name}`,
});

/** That nobody else is at these VMs and things. */
export type Claim = Readonly<{
  targets: readonly Target[];
  /** Operations on any of them that a dead process left open: they are to be settled before anything else. */
  left: readonly Operation[];
  /** Gives them back. Where the store cannot record that now, it goes on trying and this does not fail. */
  release(): Promise<void>;
}>;

export type Settlement = Readonly<{
  status: Exclude<OperationStatus, "begun">;
  steps: readonly Step[];
  error?: Readonly<{ code: string; message: string }>;
  /** The VM's row as it should be now; `null` removes it; absent leaves it. */
  record?: VmRecord | null;
  /** Given what was last told of the VM: what is told of it from now on (`null` when it is gone), and the events that this
   * takes, which come before those of the operation. Absent leaves all that as it is. */
  reports?: (
    reported: ReportedState | undefined,
  ) => Readonly<{ sighting: ReportedState | null; events: readonly DomainEvent[] }>;
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
/** That an operation kept the definition from before it; the text itself may be large and holds passwords. */
export type KeptDefinition = Readonly<{ operation: string; what: string; begunAt: string; bytes: number }>;
/** A copy of the database, and the older copies that were removed to make room for it. */
export type DatabaseCopy = Readonly<{ path: string; bytes: number; removed: readonly string[] }>;
/** Every VM's own record. */
export interface RecordStore {
  record(target: Target): Promise<VmRecord | undefined>;
  records(connection?: string): Promise<VmRecord[]>;
}

/** One operation at a time for each VM or thing, across processes. */
export interface ClaimStore {
  /** Claims several together, in one order for all callers, so that two never wait for each other. Waits at most `waitMs`.
   * @throws DomainError VM_BUSY with who holds which of them and since when */
  claim(
    targets: Target | readonly Target[],
    holder: Readonly<{ actor: string; what: string }>,
    waitMs: number,
    signal?: AbortSignal,
  ): Promise<Claim>;
}

/** Operations from their beginning to their settlement. */
export interface OperationStore {
  begin(operation: Operation): Promise<void>;
  /** Records how far a begun operation has come, between its steps. */
  advance(id: string, steps: readonly Step[], direction: Operation["direction"]): Promise<void>;
  /** Outcome, VM row and events in one transaction. Settling twice changes nothing. */
  settle(id: string, settlement: Settlement): Promise<void>;
  operation(id: string): Promise<Operation | undefined>;
  /** Operations that are begun and whose holder is dead, or that ended `unknown`. */
  open(target?: Target): Promise<Operation[]>;
}

/** The operations there were, and what they kept. */
export interface OperationHistory {
  /** Newest first, without the definitions that they kept.
   * @throws DomainError OPERATION_NOT_FOUND for a `before` that is not there */
  operations(query: OperationQuery): Promise<Operation[]>;
  /** The VM that was made or deleted under this name last, on one of these connections. */
  lastNamed(name: string, connections: readonly string[]): Promise<Target | undefined>;
  /** The kept definitions of one VM, newest first. */
  definitions(target: Target, limit: number): Promise<KeptDefinition[]>;
  /** The definition from before this operation; `undefined` where none was kept. */
  definition(operation: string): Promise<string | undefined>;
}

/** Confirmations for one use. */
export interface ConfirmationStore {
  /** Stores a confirmation for one use within `ttlMs`; only a hash of the token is kept. */
  offerConfirmation(token: string, subject: string, ttlMs: number): Promise<void>;
  /** True once, for a token offered for exactly this subject and not expired. */
  takeConfirmation(token: string, subject: string): Promise<boolean>;
}

/** Copies of the whole database. A store has this where its database is a file of its own. */
export interface DatabaseBackup {
  /** Copies the database as it is at one moment into a new file for the owner alone, beside the database, while others
   * go on writing. The copy has all the kept definitions in it, passwords included. Only the newest copies are kept.
   * @throws DomainError STORE_UNAVAILABLE, STORE_LOCKED */
  copy(): Promise<DatabaseCopy>;
}

/** What the domain needs of a database. Every method is durable when it returns. */
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
