/** The domain's interface to a database for events: the journal, the reported states, and the deliveries. */
import type { DomainEvent, EventType, JournalEvent } from "../model/event.ts";
import type { ReportedState } from "../model/reported-state.ts";
import type { Target } from "../model/vm.ts";

export type EventQuery = Readonly<{
  target?: Target;
  types?: readonly EventType[];
  /** Only events before this place; the newest come first. */
  before?: number;
  limit: number;
}>;

/** A reported state with its revision, which grows with each report about the VM. */
export type ReportedRevision = Readonly<{ reportedState: ReportedState; revision: number }>;

/** The outcome of a report. `held`: an operation holds the VM and will settle. `stale`: another report came since the
 * observation. In both cases nothing was written. */
export type ReportOutcome = "reported" | "held" | "stale";

/** An event that a subscriber has not taken yet (`waiting`) or never took (`dead`). */
export type Delivery = Readonly<{
  subscriber: string;
  seq: number;
  event: DomainEvent;
  /** The number of attempts so far. */
  attempts: number;
  state: "waiting" | "dead";
  /** When it is tried next, or when it was given up. */
  at: string;
  error?: string;
}>;

/** The events to deliver to one subscriber now. */
export type Feed = Readonly<{
  /** The place in the journal up to which events were processed. */
  cursor: number;
  /** Events behind the cursor, oldest first. */
  events: readonly JournalEvent[];
  /** Deliveries that failed and are due, the first of each VM. */
  due: readonly Delivery[];
  /** UUIDs of VMs with a waiting delivery, behind which their later events wait. */
  waitingFor: readonly string[];
  /** When the next waiting delivery becomes due. */
  nextAt?: string;
}>;

/** The result of a round of deliveries. */
export type Round = Readonly<{
  cursor: number;
  /** Places of deliveries that failed before and succeeded now. */
  taken: readonly number[];
  /** Deliveries that failed, or wait behind a failed one. */
  failed: readonly Omit<Delivery, "subscriber">[];
}>;

/** The journal of events. */
export interface EventStore {
  /** Events after a place in the journal, oldest first. Defaults: from the beginning, at most 1,000. */
  events(after?: number, limit?: number): Promise<JournalEvent[]>;
  /** The place of the newest event; 0 if there is none. */
  lastEvent(): Promise<number>;
  /** Newest first. */
  listEvents(query: EventQuery): Promise<JournalEvent[]>;
  event(id: string): Promise<JournalEvent | undefined>;
  /** Writes an event that comes from neither an operation nor an observation. */
  note(event: DomainEvent): Promise<void>;
  /** Calls back whenever this or another process may have written. Returns a function that ends the subscription. */
  onChange(listener: () => void): () => void;
}

/** The last reported state of each VM. */
export interface ReportedStateStore {
  reportedState(target: Target): Promise<ReportedRevision | undefined>;
  reportedStates(connection: string): Promise<ReportedRevision[]>;
  /** Writes a new reported state (`null`: the VM is gone) and its events in one transaction. `expect` is the revision
   * that the observation was compared with; absent if there was none. */
  report(
    target: Target,
    expect: number | undefined,
    reportedState: ReportedState | null,
    events: readonly DomainEvent[],
  ): Promise<ReportOutcome>;
  /** Whether the connection was fully observed once, so that an unknown VM on it is new. */
  isWatched(connection: string): Promise<boolean>;
  /** Writes the states of yet unreported VMs from that first observation, without events. */
  initReportedStates(connection: string, sightings: readonly ReportedState[]): Promise<void>;
}

/** Leases of tasks that one process at a time may run. */
export interface LeaseStore {
  /** Takes or keeps the lease of a task: true from then on until this process ends. A dead process's lease is taken
   * over. */
  lease(task: string): Promise<boolean>;
}

/** The progress of each subscriber. */
export interface DeliveryStore {
  /** Every subscriber that was ever served, with its place, sorted by name. */
  subscribers(): Promise<readonly Readonly<{ name: string; cursor: number }>[]>;
  /** The events to deliver to this subscriber. A new subscriber begins with the next event. */
  feed(subscriber: string, limit: number): Promise<Feed>;
  endRound(subscriber: string, round: Round): Promise<void>;
  /** Waiting and dead deliveries, newest first. */
  deliveries(query: Readonly<{ subscriber?: string; state?: Delivery["state"]; limit: number }>): Promise<Delivery[]>;
  /** Schedules another delivery of an event to a subscriber, whether it was taken before or given up. */
  redeliver(subscriber: string, event: JournalEvent): Promise<void>;
}
