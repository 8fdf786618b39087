/** Who is told of events: a plugin's functions, or anything else that can be called with one. */
import type { DomainEvent, EventType } from "../model/event.ts";

export type Subscriber = Readonly<{
  /** Its place in the journal is kept under this name. */
  name: string;
  types: readonly EventType[];
  /** Rejects where the event was not taken; it is then called again later. */
  deliver(event: DomainEvent, signal: AbortSignal): Promise<void>;
}>;
