/** A receiver of events: a plugin's functions, or any other function that takes one. */
import type { DomainEvent, EventType } from "../model/event.ts";

export type Subscriber = Readonly<{
  /** The store keeps its place in the journal under this name. */
  name: string;
  types: readonly EventType[];
  /** Rejects if the event was not taken; it is then called again later. */
  deliver(event: DomainEvent, signal: AbortSignal): Promise<void>;
}>;
