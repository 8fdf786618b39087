// Errors of calls. The classes distinguish the three cases that matter to a caller: the daemon answered with an error
// (nothing else happened), the call was never sent, or its outcome is unknown.

import { readDomain } from "./domain.ts";
import type { XdrReader } from "./xdr.ts";

/** libvirt's numbers of the errors that callers distinguish (virErrorNumber in virterror.h). */
export const ERROR_CODE = {
  internalError: 1,
  noSupport: 3,
  invalidArg: 8,
  operationFailed: 9,
  xmlError: 27,
  domExist: 28,
  xmlDetail: 35,
  systemError: 38,
  noDomain: 42,
  authFailed: 45,
  operationInvalid: 55,
  configUnsupported: 67,
  operationTimeout: 68,
  argumentUnsupported: 74,
  authCancelled: 79,
  noDomainMetadata: 80,
  operationUnsupported: 84,
  agentUnresponsive: 86,
  resourceBusy: 87,
  accessDenied: 88,
  xmlInvalidSchema: 92,
  authUnavailable: 94,
  agentUnsynced: 97,
  deviceMissing: 99,
} as const;

/** The daemon answered with an error: libvirt's code, failed part (`domain`), severity and message, unchanged. */
export class LibvirtError extends Error {
  override readonly name = "LibvirtError";
  readonly procedure: string;
  readonly code: number;
  readonly domain: number;
  readonly level: number;

  constructor(procedure: string, error: { code: number; domain: number; level: number; message: string }) {
    super(error.message);
    this.procedure = procedure;
    this.code = error.code;
    this.domain = error.domain;
    this.level = error.level;
  }
}

/** No connection could be opened, so the call was not sent. */
export class ConnectFailed extends Error {
  override readonly name = "ConnectFailed";
}

/** The connection was lost during a call. If `sent`, the call's outcome is unknown and must be observed. */
export class ConnectionLost extends Error {
  override readonly name = "ConnectionLost";
  readonly procedure: string;
  readonly sent: boolean;

  constructor(procedure: string, sent: boolean, cause: Error) {
    super(`Lost the connection to libvirt during ${procedure}: ${cause.message}`, { cause });
    this.procedure = procedure;
    this.sent = sent;
  }
}

/** The caller stopped waiting (signal or time limit). If `sent`, libvirt may still run the call. */
export class CallInterrupted extends Error {
  override readonly name = "CallInterrupted";
  readonly procedure: string;
  readonly sent: boolean;

  constructor(procedure: string, sent: boolean, cause: unknown) {
    super(`Stopped waiting for ${procedure}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
    this.procedure = procedure;
    this.sent = sent;
  }
}

/** The daemon broke the protocol. The connection is closed, since later data cannot be trusted. */
export class ProtocolError extends Error {
  override readonly name = "ProtocolError";

  constructor(detail: string, options?: ErrorOptions) {
    super(`libvirt's daemon broke the protocol: ${detail}`, options);
  }
}

/** Reads virNetMessageError, the payload of every reply with the status "error". */
export function readError(reader: XdrReader, procedure: string): LibvirtError {
  const text = () => reader.optional(() => reader.shownString());
  const code = reader.int();
  const domain = reader.int();
  const message = text() ?? "libvirt gave no reason";
  const level = reader.int();
  // The message still contains these details, which libvirt itself no longer reads.
  reader.optional(() => readDomain(reader));
  text();
  text();
  text();
  reader.int();
  reader.int();
  reader.optional(() => [reader.string(), reader.fixed(16)]);
  return new LibvirtError(procedure, { code, domain, level, message });
}
