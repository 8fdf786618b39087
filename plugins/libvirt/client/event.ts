// The supported domain events: libvirt's number, the procedure that delivers it, and its fields
// (virDomainEventID in libvirt-domain.h, remote_domain_event_callback_*_msg in remote_protocol.x, 9.0).

import { type Domain, readDomain } from "./domain.ts";
import { QEMU_PROGRAM } from "./frames.ts";
import { PROCEDURE, type ProcedureNumbers, QEMU_PROCEDURE } from "./procedure.ts";
import { XdrError, type XdrReader } from "./xdr.ts";

interface EventShape {
  /** QEMU's own events are subscribed to by name. */
  readonly id: number | string;
  readonly procedure: number;
  readonly read: (reader: XdrReader) => object;
}

const EVENT = {
  /** `event` is a LIFECYCLE_EVENT, `detail` its reason (virDomainEvent*DetailType). */
  lifecycle: {
    id: 0,
    procedure: PROCEDURE.DOMAIN_EVENT_CALLBACK_LIFECYCLE,
    read: (reader: XdrReader) => ({ event: reader.int(), detail: reader.int() }),
  },
  reboot: {
    id: 1,
    procedure: PROCEDURE.DOMAIN_EVENT_CALLBACK_REBOOT,
    read: () => ({}),
  },
  /** `action`: 0 none, 1 the domain was paused, 2 the error was reported to the guest. */
  ioErrorReason: {
    id: 6,
    procedure: PROCEDURE.DOMAIN_EVENT_CALLBACK_IO_ERROR_REASON,
    read: (reader: XdrReader) => ({
      path: reader.shownString(),
      alias: reader.shownString(),
      action: reader.int(),
      reason: reader.shownString(),
    }),
  },
  /** `change`: 0 opened, 1 closed. */
  trayChange: {
    id: 10,
    procedure: PROCEDURE.DOMAIN_EVENT_CALLBACK_TRAY_CHANGE,
    read: (reader: XdrReader) => ({ alias: reader.shownString(), change: reader.int() }),
  },
  deviceRemoved: {
    id: 15,
    procedure: PROCEDURE.DOMAIN_EVENT_CALLBACK_DEVICE_REMOVED,
    read: (reader: XdrReader) => ({ alias: reader.shownString() }),
  },
  /** `state`: 1 connected, 2 disconnected; `reason`: 0 unknown, 1 the domain started, 2 the channel. */
  agentLifecycle: {
    id: 18,
    procedure: PROCEDURE.DOMAIN_EVENT_CALLBACK_AGENT_LIFECYCLE,
    read: (reader: XdrReader) => ({ state: reader.int(), reason: reader.int() }),
  },
  deviceAdded: {
    id: 19,
    procedure: PROCEDURE.DOMAIN_EVENT_CALLBACK_DEVICE_ADDED,
    read: (reader: XdrReader) => ({ alias: reader.shownString() }),
  },
  /** `type` is a METADATA_TYPE; `uri` the namespace of a metadata element. */
  metadataChange: {
    id: 23,
    procedure: PROCEDURE.DOMAIN_EVENT_CALLBACK_METADATA_CHANGE,
    read: (reader: XdrReader) => ({ type: reader.int(), uri: reader.optional(() => reader.shownString()) }),
  },
  /** Both in bytes: the offset that was set, and how far a write went beyond it. */
  blockThreshold: {
    id: 24,
    procedure: PROCEDURE.DOMAIN_EVENT_BLOCK_THRESHOLD,
    read: (reader: XdrReader) => ({
      device: reader.shownString(),
      path: reader.optional(() => reader.shownString()),
      thresholdBytes: reader.unsignedHyper(),
      excessBytes: reader.unsignedHyper(),
    }),
  },
  /** QEMU's reason for the end of a run: "guest-shutdown", or "guest-reset" if a reset ends it; libvirt calls both a
   * shutdown. Only QEMU's driver has it. */
  qemuShutdown: {
    id: "SHUTDOWN",
    procedure: QEMU_PROCEDURE.DOMAIN_MONITOR_EVENT,
    read: (reader: XdrReader) => {
      reader.shownString();
      // When, in seconds and microseconds.
      reader.hyper();
      reader.unsigned();
      return { reason: reasonIn(reader.optional(() => reader.shownString())) };
    },
  },
} satisfies Record<string, EventShape>;

export type EventKind = keyof typeof EVENT;

/** An event of one domain. */
export type DomainEvent = {
  [Kind in EventKind]: { readonly kind: Kind; readonly domain: Domain } & Readonly<
    ReturnType<(typeof EVENT)[Kind]["read"]>
  >;
}[EventKind];

export const EVENT_KINDS = Object.keys(EVENT) as readonly EventKind[];

/** libvirt's number for a kind (virDomainEventID), or QEMU's name for it. */
export function eventId(kind: EventKind): number | string {
  return EVENT[kind].id;
}

/** The event in a message. @throws XdrError for an event that cannot have been subscribed to */
export function readEvent({ program, procedure }: ProcedureNumbers, reader: XdrReader): DomainEvent {
  const kind = EVENT_KINDS.find((candidate) => {
    const { id, procedure: its } = EVENT[candidate];
    return its === procedure && (typeof id === "string") === (program === QEMU_PROGRAM);
  });
  if (kind === undefined) throw new XdrError(`Cannot read a message of procedure ${procedure}`);
  // The callback's number is redundant: there is one callback for each kind of event.
  reader.int();
  const domain = readDomain(reader);
  return { kind, domain, ...EVENT[kind].read(reader) } as DomainEvent;
}

/** Reads the reason from the details of QEMU's event, which are JSON. */
function reasonIn(details: string | undefined): string | undefined {
  try {
    const { reason } = JSON.parse(details ?? "") as { reason?: unknown };
    return typeof reason === "string" ? reason : undefined;
  } catch {
    return undefined;
  }
}
