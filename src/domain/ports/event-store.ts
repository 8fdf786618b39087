/** What the domain needs of a database for events: what happened, what was last seen, and who has been told. */
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

/** A sighting with its place in the history of that VM's sightings. */
export type ReportedRevision = Readonly<{ reportedState: ReportedState; revision: number }>;

/** What became of telling: `held`, an operation is at the VM and will settle; `stale`, somebody has written since it was
 * looked at. Either way nothing was written. */
export type ReportOutcome = "reported" | "held" | "stale";

/** An event that a subscriber has not taken yet, or never took. */
export type Delivery = Readonly<{
  subscriber: string;
  seq: number;
  event: DomainEvent;
  /** How often it was tried. */
  attempts: number;
  state: "waiting" | "dead";
  /** When it is tried again, or when it was given up. */
  at: string;
  error?: string;
}>;

/** What is to be delivered to one subscriber now. */
export type Feed = Readonly<{
  /** Behind this place everything is still to come. */
  cursor: number;
  /** Events behind the cursor, oldest first. */
  events: readonly JournalEvent[];
  /** Deliveries that failed and are due, the first of each VM. */
  due: readonly Delivery[];
  /** VMs of which something waits: what comes later waits behind it. */
  waitingFor: readonly string[];
  /** When the next delivery is due that is not yet. */
  nextAt?: string;
}>;

/** How a round of deliveries ended. */
export type Round = Readonly<{
  cursor: number;
  /** Places of deliveries that had failed before and were taken now. */
  taken: readonly number[];
  /** What failed, or waits behind what failed. */
  failed: readonly Omit<Delivery, "subscriber">[];
}>;

/** The journal of events. */
export interface EventStore {
  /** Events behind a place in the journal, oldest first; a thousand from the beginning unless said. */
  events(after?: number, limit?: number): Promise<JournalEvent[]>;
  /** The place of the newest event; 0 where there is none. */
  lastEvent(): Promise<number>;
  /** Newest first. */
  listEvents(query: EventQuery): Promise<JournalEvent[]>;
  event(id: string): Promise<JournalEvent | undefined>;
  /** Writes an event that no operation and no look at a VM made. */
  note(event: DomainEvent): Promise<void>;
  /** Calls back whenever something may have been written, by this process or another. Returns what ends it. */
  onChange(listener: () => void): () => void;
}

/** What was last reported of each VM. */
export interface ReportedStateStore {
  reportedState(target: Target): Promise<ReportedRevision | undefined>;
  reportedStates(connection: string): Promise<ReportedRevision[]>;
  /** Writes what was seen (`null`: the VM is gone) and the events that it makes, in one transaction; `expect` is the
   * revision that it was compared with, absent where there was none. */
  report(
    target: Target,
    expect: number | undefined,
    sighting: ReportedState | null,
    events: readonly DomainEvent[],
  ): Promise<ReportOutcome>;
  /** Whether everything on this connection has been looked at once, so that what is new on it is news. */
  isWatched(connection: string): Promise<boolean>;
  /** Writes what that first look saw of VMs of which nothing was on record, without a word about it. */
  initReportedStates(connection: string, sightings: readonly ReportedState[]): Promise<void>;
}

/** Tasks that one process at a time may have. */
export interface LeaseStore {
  /** Takes a task, or keeps it: true until this process ends. What a dead process had is taken over. */
  lease(task: string): Promise<boolean>;
}

/** How far each subscriber has been told. */
export interface DeliveryStore {
  /** Who has ever been told of events, and up to which place, by name. */
  subscribers(): Promise<readonly Readonly<{ name: string; cursor: number }>[]>;
  /** What this subscriber is to be told. A new one begins with what happens from now on. */
  feed(subscriber: string, limit: number): Promise<Feed>;
  endRound(subscriber: string, round: Round): Promise<void>;
  /** Deliveries that wait or were given up, newest first. */
  deliveries(query: Readonly<{ subscriber?: string; state?: Delivery["state"]; limit: number }>): Promise<Delivery[]>;
  /** Has an event delivered again to a subscriber, whether it was taken before or given up. */
  redeliver(subscriber: string, event: JournalEvent): Promise<void>;
}
