// libvirt's own RPC protocol over the daemon's unix socket, without a child process or a native module. Methods
// have the names of libvirt's API without "vir"; its documentation describes them (https://libvirt.org/html/).

import { addressOf } from "./address.ts";
import type { EventKind } from "./event.ts";
import type { EventStream } from "./event-stream.ts";
import { KEEPALIVE_DEFAULT, type KeepaliveOptions } from "./keepalive.ts";
import type { Call, CallOptions } from "./procedure.ts";
import { connectProcedures } from "./procedures/connect.ts";
import { definitionProcedures } from "./procedures/definition.ts";
import { deviceProcedures } from "./procedures/device.ts";
import { guestProcedures } from "./procedures/guest.ts";
import { powerProcedures } from "./procedures/power.ts";
import { Session } from "./session.ts";

export { type Address, addressOf } from "./address.ts";
export { AuthenticationRefused } from "./authentication.ts";
export type { Domain } from "./domain.ts";
export {
  CallInterrupted,
  ConnectFailed,
  ConnectionLost,
  ERROR_CODE,
  LibvirtError,
  ProtocolError,
} from "./error.ts";
export { type DomainEvent, EVENT_KINDS, type EventKind } from "./event.ts";
export type { EventGap, EventStream } from "./event-stream.ts";
export * from "./flag.ts";
export type { KeepaliveOptions } from "./keepalive.ts";
export { exactNumber, type Parameter, type Parameters, sizeOf } from "./parameter.ts";
export type { CallOptions } from "./procedure.ts";
export type { DomainStats } from "./procedures/connect.ts";
export type { BlockInfo, BlockStats, DiskError } from "./procedures/device.ts";
export type { DomainInfo, DomainState } from "./procedures/power.ts";

const OPEN_TIMEOUT_MS = 10_000;
const EVENT_CAPACITY = 1024;

export interface LibvirtOptions {
  /** As "qemu:///system"; see addressOf for what is accepted. */
  readonly uri: string;
  /** Replaces the socket that the URI leads to. */
  readonly socketPath?: string | undefined;
  /** Time limit of calls without one of their own, in milliseconds; absent: none, until the daemon falls silent. */
  readonly timeoutMs?: number | undefined;
  /** Time limit for connecting, authentication and opening together, in milliseconds. */
  readonly openTimeoutMs?: number | undefined;
  /** When a silent daemon counts as dead. */
  readonly keepalive?: KeepaliveOptions | undefined;
  readonly log?: ((message: string, details: Readonly<Record<string, unknown>>) => void) | undefined;
  /** Called when the connection is back, with events subscribed again: earlier observations may be out of date. */
  readonly onReconnect?: (() => void) | undefined;
}

/** A connection to libvirt that opens itself; `openLibvirt` says how. */
export type Libvirt = ReturnType<typeof openLibvirt>;

/**
 * libvirt at a URI. Nothing is opened before the first call, and again at the first call after the daemon went away.
 *
 * Calls reject with LibvirtError (the daemon refused), ConnectFailed or AuthenticationRefused (nothing was sent),
 * ConnectionLost or CallInterrupted (if `sent`, the outcome is unknown), or RangeError (an argument that cannot be
 * sent). Throws a RangeError for a URI that is not accepted.
 */
export function openLibvirt(options: LibvirtOptions) {
  const address = addressOf(options.uri);
  const session = new Session({
    address: { ...address, socketPath: options.socketPath ?? address.socketPath },
    keepalive: options.keepalive ?? KEEPALIVE_DEFAULT,
    openTimeoutMs: options.openTimeoutMs ?? OPEN_TIMEOUT_MS,
    log: options.log ?? (() => {}),
    onReconnect: options.onReconnect ?? (() => {}),
  });
  const { timeoutMs } = options;
  const call: Call = (procedure, write, read, each) => session.call(procedure, write, read, { timeoutMs, ...each });
  const close = () => session.close();
  return {
    ...connectProcedures(call),
    ...definitionProcedures(call),
    ...powerProcedures(call),
    ...deviceProcedures(call),
    ...guestProcedures(call),

    /**
     * Events of all domains, for one reader, who closes the stream when done. With more than `capacity` waiting events,
     * or when the connection is lost, the stream yields a "gap": the reader observes again, which also reconnects.
     */
    subscribe: (
      kinds: readonly EventKind[],
      { capacity = EVENT_CAPACITY, ...each }: CallOptions & { capacity?: number } = {},
    ): Promise<EventStream> => session.subscribe(kinds, capacity, { timeoutMs, ...each }),

    /** Closes the connection and ends all streams; calls that still wait fail. Closing twice does nothing more. */
    close,
    [Symbol.asyncDispose]: close,
  };
}
