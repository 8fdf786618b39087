/** Whoever is told of events. */
import type { DomainEvent, EventType } from "./event.ts";

/** What it rejects with has the event delivered again later. */
export type Subscriber = Readonly<{
  name: string;
  types: readonly EventType[];
  deliver(event: DomainEvent, signal: AbortSignal): Promise<void>;
}>;
