// libvirt's procedures by number, from enum remote_procedure in libvirt's src/remote/remote_protocol.x (9.0).
// Numbers are never reused, so the table holds for every version; an older daemon answers "unknown procedure".

import { QEMU_PROGRAM, REMOTE_PROGRAM } from "./frames.ts";
import type { XdrReader, XdrWriter } from "./xdr.ts";

export const PROCEDURE = {
  CONNECT_OPEN: 1,
  CONNECT_CLOSE: 2,
  CONNECT_GET_TYPE: 3,
  CONNECT_GET_VERSION: 4,
  CONNECT_GET_CAPABILITIES: 7,
  DOMAIN_CREATE_XML: 10,
  DOMAIN_GET_XML_DESC: 14,
  DOMAIN_GET_AUTOSTART: 15,
  DOMAIN_GET_INFO: 16,
  DOMAIN_LOOKUP_BY_NAME: 23,
  DOMAIN_LOOKUP_BY_UUID: 24,
  DOMAIN_REBOOT: 27,
  DOMAIN_RESUME: 28,
  DOMAIN_SET_AUTOSTART: 29,
  DOMAIN_SUSPEND: 34,
  CONNECT_GET_HOSTNAME: 59,
  CONNECT_SUPPORTS_FEATURE: 60,
  DOMAIN_BLOCK_STATS: 64,
  AUTH_LIST: 66,
  AUTH_POLKIT: 70,
  CONNECT_GET_URI: 110,
  DOMAIN_IS_ACTIVE: 150,
  DOMAIN_IS_PERSISTENT: 151,
  CONNECT_GET_LIB_VERSION: 157,
  DOMAIN_ATTACH_DEVICE_FLAGS: 160,
  DOMAIN_DETACH_DEVICE_FLAGS: 161,
  DOMAIN_UPDATE_DEVICE_FLAGS: 174,
  DOMAIN_MANAGED_SAVE: 182,
  DOMAIN_HAS_MANAGED_SAVE_IMAGE: 183,
  DOMAIN_MANAGED_SAVE_REMOVE: 184,
  DOMAIN_GET_BLOCK_INFO: 194,
  DOMAIN_CREATE_WITH_FLAGS: 196,
  DOMAIN_GET_STATE: 212,
  DOMAIN_SEND_KEY: 226,
  DOMAIN_UNDEFINE_FLAGS: 231,
  DOMAIN_DESTROY_FLAGS: 234,
  DOMAIN_BLOCK_STATS_FLAGS: 243,
  DOMAIN_RESET: 245,
  DOMAIN_BLOCK_RESIZE: 251,
  DOMAIN_SHUTDOWN_FLAGS: 258,
  DOMAIN_GET_DISK_ERRORS: 263,
  DOMAIN_SET_METADATA: 264,
  DOMAIN_GET_METADATA: 265,
  CONNECT_LIST_ALL_DOMAINS: 273,
  CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY: 316,
  CONNECT_DOMAIN_EVENT_CALLBACK_DEREGISTER_ANY: 317,
  DOMAIN_EVENT_CALLBACK_LIFECYCLE: 318,
  DOMAIN_EVENT_CALLBACK_REBOOT: 319,
  DOMAIN_EVENT_CALLBACK_IO_ERROR_REASON: 324,
  DOMAIN_EVENT_CALLBACK_TRAY_CHANGE: 328,
  DOMAIN_EVENT_CALLBACK_DEVICE_REMOVED: 333,
  CONNECT_GET_DOMAIN_CAPABILITIES: 342,
  CONNECT_GET_ALL_DOMAIN_STATS: 344,
  DOMAIN_EVENT_CALLBACK_AGENT_LIFECYCLE: 348,
  DOMAIN_DEFINE_XML_FLAGS: 350,
  DOMAIN_EVENT_CALLBACK_DEVICE_ADDED: 354,
  DOMAIN_RENAME: 358,
  DOMAIN_EVENT_CALLBACK_METADATA_CHANGE: 379,
  DOMAIN_EVENT_BLOCK_THRESHOLD: 385,
  DOMAIN_SET_BLOCK_THRESHOLD: 386,
  DOMAIN_SET_LIFECYCLE_ACTION: 390,
  DOMAIN_GET_GUEST_INFO: 418,
  DOMAIN_GET_MESSAGES: 426,
} as const;

/** Procedures of the QEMU driver alone, from enum qemu_procedure in libvirt's src/remote/qemu_protocol.x (9.0). */
export const QEMU_PROCEDURE = {
  CONNECT_DOMAIN_MONITOR_EVENT_REGISTER: 4,
  CONNECT_DOMAIN_MONITOR_EVENT_DEREGISTER: 5,
  DOMAIN_MONITOR_EVENT: 6,
} as const;

/** A procedure's name in libvirt's protocol, without the prefix REMOTE_PROC_ or QEMU_PROC_. */
export type ProcedureName = keyof typeof PROCEDURE | keyof typeof QEMU_PROCEDURE;

/** The program of a procedure, and its number there. */
export interface ProcedureNumbers {
  readonly program: number;
  readonly procedure: number;
}

export const procedureNumbers = (name: ProcedureName): ProcedureNumbers =>
  name in PROCEDURE
    ? { program: REMOTE_PROGRAM, procedure: PROCEDURE[name as keyof typeof PROCEDURE] }
    : { program: QEMU_PROGRAM, procedure: QEMU_PROCEDURE[name as keyof typeof QEMU_PROCEDURE] };

/** How long a caller waits. Both options end only the waiting: libvirt cannot cancel a call. */
export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  readonly timeoutMs?: number | undefined;
}

/** Sends one call and resolves with what `read` makes of the answer. */
export type Call = <T>(
  procedure: ProcedureName,
  write: (writer: XdrWriter) => void,
  read: (reader: XdrReader) => T,
  options?: CallOptions,
) => Promise<T>;

/** For a procedure without arguments, or without an answer. */
export function nothing(): void {}
