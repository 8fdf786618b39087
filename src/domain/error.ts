/** Every way a request can be refused: what failed (message), and what would make it succeed (hint). A code is never
 * renamed and never reused. Anything that is thrown and is not a DomainError is a defect. */
import type { Finding } from "./model/finding.ts";
import { serverErrors } from "./server-errors.ts";

const list = (names: readonly string[], none = "none") => (names.length ? names.join(", ") : none);
const gib = (bytes: number) => `${Math.round((bytes / 1024 ** 3) * 100) / 100} GiB`;

const catalogue = {
  INPUT_INVALID: (d: { issues: readonly string[] }) => ({
    message: `Cannot read the arguments: ${d.issues.join("; ")}`,
    hint: "Correct the named arguments; the tool's input schema lists what each accepts",
  }),
  TOOL_NOT_FOUND: (d: { tool: string; known: readonly string[] }) => ({
    message: `Cannot find tool "${d.tool}"`,
    hint: `Known tools, nearest first: ${list(d.known)}`,
  }),
  MESSAGE_TOO_LARGE: (d: { bytes: number; bytesMax: number }) => ({
    message: `Cannot read a message of ${d.bytes} bytes: at most ${d.bytesMax} are taken`,
    hint: "Nothing was done. No tool needs arguments of this length; send fewer or shorter ones",
  }),
  ANSWER_TOO_LARGE: (d: { tool: string; bytes: number; bytesMax: number }) => ({
    message: `Cannot send the answer of ${d.tool}: it has ${d.bytes} bytes, and at most ${d.bytesMax} are sent`,
    hint: "Ask for less at a time: a smaller limit, or one VM; a change that was asked for was made all the same",
  }),
  SERVER_BUSY: (d: { calls: number }) => ({
    message: `Cannot take this call: ${d.calls} calls are under way, and no more are taken at one time`,
    hint: "Nothing was done. Wait for answers before making further calls",
  }),
  CONNECTION_NOT_FOUND: (d: { connection: string; known: readonly string[] }) => ({
    message: `Cannot find connection "${d.connection}"`,
    hint: `Known connections: ${list(d.known)}`,
  }),
  VM_NOT_FOUND: (d: { vm: string; known: readonly string[]; unreachable?: readonly string[] }) => ({
    message: `Cannot find VM "${d.vm}"`,
    hint: `Known VMs, nearest first: ${list(d.known)}${d.unreachable?.length ? `. Not asked, since it cannot be reached: ${list(d.unreachable)}` : ""}`,
  }),
  VM_GONE: (d: { vm: string }) => ({
    message: `Cannot look at VM "${d.vm}": it is on record, and its definition is gone`,
    hint: "Another program removed it. repair_vm with action put_back defines it again from what was kept; delete_vm removes the record and what is left of its files",
  }),
  VM_AMBIGUOUS: (d: { vm: string; candidates: readonly string[] }) => ({
    message: `Cannot tell which VM "${d.vm}" is: several have that name`,
    hint: `Name one of: ${list(d.candidates)}`,
  }),
  VM_NOT_MANAGED: (d: { vm: string }) => ({
    message: `Cannot change VM "${d.vm}": Bootwright does not manage it`,
    hint: "Adopt it first; that changes nothing about it but a metadata tag",
  }),
  VM_EXISTS: (d: { name: string; connection: string; uuid: string }) => ({
    message: `Cannot create VM "${d.name}": connection "${d.connection}" has a VM of that name (${d.uuid})`,
    hint: "Choose another name",
  }),
  VM_TRANSIENT: (d: { vm: string }) => ({
    message: `Cannot manage VM "${d.vm}": it is transient and is gone once it is off`,
    hint: "Define it in the hypervisor first, so that it is persistent",
  }),
  VM_MUST_BE_OFF: (d: { vm: string; change: string }) => ({
    message: `Cannot make change "${d.change}" while VM "${d.vm}" is running`,
    hint: "Stop the VM first, then make the change",
  }),
  VM_PAUSED: (d: { vm: string; reason: string }) => ({
    message: `Cannot do this while VM "${d.vm}" is paused (${d.reason})`,
    hint: "Resume it in the hypervisor, or stop it with force, then try again",
  }),
  /** `waitingMax`: as many callers were waiting for this VM already, so that this one was not let in. */
  VM_BUSY: (d: { vm: string; holder: string; what: string; since: string; waitedMs: number; waitingMax?: number }) => ({
    message: `Cannot start on VM "${d.vm}": ${d.holder} has been running ${d.what} on it since ${d.since}`,
    hint:
      d.waitingMax === undefined
        ? `Waited ${d.waitedMs} ms. Try again when that operation has ended`
        : `Did not wait, since ${d.waitingMax} calls wait for it already. Try again when they have ended`,
  }),
  VM_CHANGED_MEANWHILE: (d: { vm: string }) => ({
    message: `Cannot go on: another program changed VM "${d.vm}" while this operation was running`,
    hint: "Look at the VM again and decide anew; the other program's change was left as it is",
  }),
  CONSOLE_UNAVAILABLE: (d: { vm: string; reason: string }) => ({
    message: `Cannot open the console of VM "${d.vm}": ${d.reason}`,
    hint: "A console needs a running VM with a VNC display on this host that this server's user may connect to",
  }),
  CHANGE_UNSUPPORTED: (d: { change: string; backend: string; supported: readonly string[] }) => ({
    message: `Cannot make change "${d.change}": backend "${d.backend}" does not support it`,
    hint: `Supported changes: ${list(d.supported)}`,
  }),
  GROUP_UNSUPPORTED: (d: { group: string; connection: string; backend: string; connections: readonly string[] }) => ({
    message: `Cannot do this with a VM of connection "${d.connection}": its backend "${d.backend}" has no group "${d.group}"`,
    hint: `Connections that have it: ${list(d.connections)}`,
  }),
  BLOCKED_BY_FINDINGS: (d: { vm: string; action: string; findings: readonly Finding[] }) => ({
    message: `Cannot ${d.action} VM "${d.vm}": ${d.findings.map((f) => `${f.code}: ${f.message}`).join("; ")}`,
    hint: d.findings.every((f) => f.overridable)
      ? `Mend what is named, or accept it on purpose with accept: ${JSON.stringify(d.findings.map((f) => f.code))}`
      : "Mend what is named; this cannot be overridden, since data would be lost",
  }),
  INSTALLATION_TRANSITION_ILLEGAL: (d: {
    vm: string;
    status: string;
    transition: string;
    legal: readonly string[];
  }) => ({
    message: `Cannot ${d.transition.replaceAll("_", " ")} for VM "${d.vm}": its installation status is ${d.status}`,
    hint: `From ${d.status} these are possible: ${list(d.legal)}`,
  }),
  ISO_OUTSIDE_LIBRARY: (d: { path: string; directories: readonly string[] }) => ({
    message: `Cannot use ISO "${d.path}": it lies outside the ISO library`,
    hint: `Put it in one of: ${list(d.directories)}; or add its directory with --iso-dir`,
  }),
  ISO_NOT_FOUND: (d: { iso: string; known: readonly string[] }) => ({
    message: `Cannot find ISO "${d.iso}"`,
    hint: `Known ISOs, nearest first: ${list(d.known, "the library is empty")}`,
  }),
  PATH_OUTSIDE_IMAGES: (d: { path: string; directory: string }) => ({
    message: `Cannot touch "${d.path}": it lies outside the image directory`,
    hint: `Only files inside ${d.directory} are Bootwright's to make or remove`,
  }),
  DISK_EXISTS: (d: { path: string }) => ({
    message: `Cannot create disk "${d.path}": a file of that name exists`,
    hint: "Move the file away; nothing is ever overwritten",
  }),
  IMAGE_REFUSED: (d: { path: string; reason: string }) => ({
    message: `Cannot use image "${d.path}": ${d.reason}`,
    hint: "An image may only refer to files inside the connection's image directories",
  }),
  IMAGE_TOOL_FAILED: (d: { command: string; reason: string }) => ({
    message: `Cannot work on the image: ${d.command} failed: ${d.reason}`,
    hint: "Check that qemu-utils is installed and that the image is whole (get_disk_info tells)",
  }),
  HOST_SPACE_LACKING: (d: { path: string; neededBytes: number; freeBytes: number }) => ({
    message: `Cannot make "${d.path}" ${gib(d.neededBytes)} large: the host's file system holds ${gib(d.freeBytes)}`,
    hint: "Choose a smaller size or another image directory",
  }),
  HOST_TOO_SMALL: (d: { connection: string; what: "memory_mb" | "cpus"; asked: number; has: number }) => ({
    message: `Cannot give the VM ${d.what} ${d.asked}: the host of connection "${d.connection}" has ${d.has}`,
    hint: `Ask for at most ${d.has}`,
  }),
  DRIVE_NOT_FOUND: (d: { vm: string; drive: string; known: readonly string[] }) => ({
    message: `Cannot find CD-ROM drive "${d.drive}" on VM "${d.vm}"`,
    hint: `Its drives: ${list(d.known)}`,
  }),
  DISK_NOT_FOUND: (d: { vm: string; disk: string; known: readonly string[] }) => ({
    message: `Cannot find disk "${d.disk}" on VM "${d.vm}"`,
    hint: `Its disks: ${list(d.known)}`,
  }),
  SHRINK_REFUSED: (d: { vm: string; currentBytes: number; requestedBytes: number }) => ({
    message: `Cannot resize the disk of VM "${d.vm}" to ${gib(d.requestedBytes)}: it has ${gib(d.currentBytes)}, and shrinking destroys data`,
    hint: `Ask for more than ${gib(d.currentBytes)}`,
  }),
  DISK_NOT_GROWABLE: (d: { vm: string; disk: string; reason: string }) => ({
    message: `Cannot grow disk "${d.disk}" of VM "${d.vm}": ${d.reason}`,
    hint: "Only a writable qcow2 or raw image that is present and not corrupt can be grown",
  }),
  TRAY_LOCKED: (d: { vm: string; drive: string }) => ({
    message: `Cannot open tray "${d.drive}" of VM "${d.vm}": the guest has locked it`,
    hint: "Eject it inside the guest or wait until the guest lets go; force opens it all the same, and a guest that runs from this medium may then crash",
  }),
  SHUTDOWN_TIMED_OUT: (d: { vm: string; waitedMs: number }) => ({
    message: `Cannot shut down VM "${d.vm}": the guest did not power off within ${Math.round(d.waitedMs / 1000)} s`,
    hint: "Installers and guests without ACPI ignore the request. Wait and try again, or cut the power with force: true",
  }),
  CONFIRMATION_REQUIRED: (d: { vm: string; losses: readonly string[]; confirm: string; expiresAt: string }) => ({
    message: `This loses something on VM "${d.vm}": ${d.losses.join("; ")}`,
    hint: `Ask the user. If they agree, make the same call again with confirm: "${d.confirm}" (once, before ${d.expiresAt})`,
  }),
  CONFIRMATION_BY_PERSON: (d: { vm: string; losses: readonly string[] }) => ({
    message: `This loses something on VM "${d.vm}" and only a person may confirm it: ${d.losses.join("; ")}`,
    hint: "Use a client that can ask its user (MCP elicitation), or start Bootwright without --confirm human",
  }),
  CONFIRMATION_INVALID: (d: { vm: string }) => ({
    message: `Cannot accept this confirmation for VM "${d.vm}": it was used, has expired, or belongs to another call or another state of the VM`,
    hint: "Make the call without confirm to see what it would lose now",
  }),
  CONFIRMATION_DECLINED: (d: { vm: string }) => ({
    message: `The user did not agree to this change of VM "${d.vm}"`,
    hint: "Nothing was changed. Do not try again unless the user asks",
  }),
  OPERATION_NOT_FOUND: (d: { operation: string }) => ({
    message: `Cannot find operation "${d.operation}"`,
    hint: "An operation's id is in the answer of the call that ran it",
  }),
  JOB_NOT_FOUND: (d: { job: string }) => ({
    message: `Cannot find job "${d.job}"`,
    hint: "The tool list_jobs has the ids of the jobs that are kept; the oldest go",
  }),
  JOB_ENDED: (d: { job: string; status: string }) => ({
    message: `Cannot cancel job "${d.job}": it has ended (${d.status})`,
    hint: "What it did stays; the tool get_job says how it ended",
  }),
  JOB_INTERRUPTED: (d: { job: string; attempts: number }) => ({
    message: `Job "${d.job}" was taken up ${d.attempts} times, and each time its process ended before it came further`,
    hint: "The log of the server that ran it may say why; begin the job again once that is mended",
  }),
  EVENT_NOT_FOUND: (d: { event: string }) => ({
    message: `Cannot find event "${d.event}"`,
    hint: "The tool list_events has the ids of the events that are kept; the oldest go",
  }),
  SUBSCRIBER_NOT_FOUND: (d: { subscriber: string; known: readonly string[] }) => ({
    message: `Cannot find subscriber "${d.subscriber}"`,
    hint: `Known subscribers, nearest first: ${list(d.known)}`,
  }),
  UNDO_IMPOSSIBLE: (d: { operation: string; reason: string }) => ({
    message: `Cannot undo operation ${d.operation}: ${d.reason}`,
    hint: "Boot order and media can be undone while they are as the operation left them; make another change instead",
  }),
  DEFINITION_NOT_FOUND: (d: { vm: string; operation: string; known: readonly string[] }) => ({
    message: `Cannot find a definition of VM "${d.vm}" from before operation "${d.operation}"`,
    hint: `Definitions are kept from before these operations, newest first: ${list(d.known)}`,
  }),
  REPAIR_IMPOSSIBLE: (d: { vm: string; reason: string }) => ({
    message: `Cannot repair VM "${d.vm}": ${d.reason}`,
    hint: "Look with get_vm at what is there; its findings name the calls that mend it",
  }),
  OUTCOME_UNKNOWN: (d: { vm: string; operation: string; reason: string; until?: string }) => ({
    message: `Nobody can tell whether this change of VM "${d.vm}" happened: ${d.reason}`,
    hint: d.until
      ? `It may still happen until ${d.until}: operation ${d.operation} stays open until then, or until it is seen to have happened, and the VM takes no other change`
      : `Operation ${d.operation} stays open, and the VM takes no other change until Bootwright has looked at it again`,
  }),
  ROLLBACK_FAILED: (d: { vm: string; operation: string; reason: string; left: readonly string[] }) => ({
    message: `The change of VM "${d.vm}" failed (${d.reason}) and could not be undone`,
    hint: `What stays: ${list(d.left)}. Operation ${d.operation} has the details; repair_vm brings back what is on record, or takes what is there. Of a VM that was being created nothing is on record: delete_vm on ${d.vm} removes what stays of it`,
  }),
  GOAL_NOT_REACHED: (d: { vm: string; change: string }) => ({
    message: `Change "${d.change}" of VM "${d.vm}" was made without an error, and the VM does not show it`,
    hint: "Look at the VM again; another program may be changing it",
  }),
  CANCELLED: (d: { vm: string }) => ({
    message: `The request for VM "${d.vm}" was cancelled`,
    hint: "What had been done by then was undone where it can be; the operation tells",
  }),
  BACKEND_UNAVAILABLE: (d: { connection: string; reason: string }) => ({
    message: `Cannot reach connection "${d.connection}": ${d.reason}`,
    hint: "Check that the hypervisor's service is running and that this user may use it, then try again",
  }),
  BACKEND_FAILED: (d: { connection: string; change: string; reason: string }) => ({
    message: `Connection "${d.connection}" refused "${d.change}": ${d.reason}`,
    hint: "The reason is the hypervisor's own; mend it there, then try again",
  }),
  ...serverErrors,
} satisfies Record<string, (details: never) => { message: string; hint: string }>;

export type ErrorCode = keyof typeof catalogue;
export const errorCodes = Object.keys(catalogue) as ErrorCode[];
export type ErrorDetails<C extends ErrorCode> = Parameters<(typeof catalogue)[C]>[0];

/** How the operation ended that this error came out of, once it is known. */
export type FailedOutcome = Readonly<{ operation: string; status: string; kept: readonly string[] }>;

export class DomainError<C extends ErrorCode = ErrorCode> extends Error {
  override readonly name = "DomainError";
  readonly code: C;
  readonly hint: string;
  readonly details: ErrorDetails<C>;
  outcome?: FailedOutcome;
  /** What was asked for went out and was not answered: it may still happen. */
  readonly unanswered: boolean;
  constructor(code: C, details: ErrorDetails<C>, options?: ErrorOptions & { unanswered?: boolean }) {
    const { message, hint } = (catalogue[code] as (d: ErrorDetails<C>) => { message: string; hint: string })(details);
    super(message, options);
    this.code = code;
    this.hint = hint;
    this.details = details;
    this.unanswered = options?.unanswered ?? false;
  }
}
