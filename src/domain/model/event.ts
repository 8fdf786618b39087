/** Events: facts about what happened, in the past tense, as CloudEvents 1.0. An operation's events are written with its
 * outcome in one transaction. A receiver may get an event twice, so each has a stable id. */
import type { Target } from "./vm.ts";

export const eventTypes = [
  "vm.created",
  "vm.adopted",
  "vm.deleted",
  "vm.renamed",
  "vm.restored",
  "vm.reconciled",
  "vm.started",
  "vm.stopped",
  "vm.rebooted",
  "vm.paused",
  "vm.resumed",
  "vm.crashed",
  "vm.changed_elsewhere",
  "boot_order.changed",
  "media.attached",
  "media.detached",
  "media.ejected_by_guest",
  "disk.resized",
  "disk.io_error",
  "disk.space_low",
  "agent.connected",
  "console.opened",
  "console.closed",
  "installation.started",
  "installation.suggested",
  "installation.completed",
  "installation.failed",
  "installation.cancelled",
  "installation.restarted",
  "operation.rolled_back",
  "operation.failed",
  "operation.unknown",
  "job.started",
  "job.progressed",
  "job.succeeded",
  "job.failed",
  "job.cancelled",
] as const;
export type EventType = (typeof eventTypes)[number];

export type DomainEvent = Readonly<{
  specversion: "1.0";
  id: string;
  source: string;
  type: EventType;
  subject: string;
  time: string;
  data: Readonly<Record<string, unknown>>;
}>;

/** An event with its place in the journal; a subscriber keeps the last place it has seen. */
export type JournalEvent = Readonly<{ seq: number; event: DomainEvent }>;

/** An event of an operation. Its id is the operation's id and the event's place in it, so that a second delivery is
 * recognised. */
export function eventOf(
  operation: string,
  place: number | "unknown",
  target: Target,
  time: string,
  type: EventType,
  data: DomainEvent["data"],
): DomainEvent {
  const source = `bootwright/${target.connection}`;
  return {
    specversion: "1.0",
    id: `${operation}:${place}`,
    source,
    type,
    subject: target.uuid,
    time,
    data: { ...data, operation },
  };
}

/** An event that no operation caused. */
export const noteOf = (
  id: string,
  { connection, uuid: subject }: Target,
  time: string,
  type: EventType,
  data: DomainEvent["data"],
): DomainEvent => ({ specversion: "1.0", id, source: `bootwright/${connection}`, type, subject, time, data });
