/** Every refusal of a request: what failed (message), and what would make it succeed (hint). A code is never renamed
 * and never reused. Any other thrown value is a defect. */
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
    message: `Cannot read a message of ${d.bytes} bytes: the limit is ${d.bytesMax}`,
    hint: "Nothing was done. No tool needs arguments of this length; send fewer or shorter ones",
  }),
  ANSWER_TOO_LARGE: (d: { tool: string; bytes: number; bytesMax: number }) => ({
    message: `Cannot send the answer of ${d.tool}: it has ${d.bytes} bytes, and the limit is ${d.bytesMax}`,
    hint: "Ask for less at a time: a smaller limit, or one VM. A requested change was made nevertheless",
  }),
  SERVER_BUSY: (d: { calls: number }) => ({
    message: `Cannot take this call: ${d.calls} calls are under way, which is the limit`,
    hint: "Nothing was done. Wait for answers before making further calls",
  }),
  CONNECTION_NOT_FOUND: (d: { connection: string; known: readonly string[] }) => ({
    message: `Cannot find connection "${d.connection}"`,
    hint: `Known connections: ${list(d.known)}`,
  }),
  VM_NOT_FOUND: (d: { vm: string; known: readonly string[]; unreachable?: readonly string[] }) => ({
    message: `Cannot find VM "${d.vm}"`,
    hint: `Known VMs, nearest first: ${list(d.known)}${d.unreachable?.length ? `. Unreachable, so not searched: ${list(d.unreachable)}` : ""}`,
  }),
  VM_GONE: (d: { vm: string }) => ({
    message: `Cannot look at VM "${d.vm}": its definition is gone, and only its record is left`,
    hint: "Another program removed it. repair_vm with action put_back defines it again from its kept definition; delete_vm removes the record and the remaining files",
  }),
  VM_AMBIGUOUS: (d: { vm: string; candidates: readonly string[] }) => ({
    message: `Cannot tell which VM "${d.vm}" is: several VMs have that name`,
    hint: `Name one of: ${list(d.candidates)}`,
  }),
  VM_NOT_MANAGED: (d: { vm: string }) => ({
    message: `Cannot change VM "${d.vm}": Bootwright does not manage it`,
    hint: "Adopt it first; adoption only adds a metadata tag to it",
  }),
  VM_EXISTS: (d: { name: string; connection: string; uuid: string }) => ({
    message: `Cannot create VM "${d.name}": connection "${d.connection}" already has a VM of that name (${d.uuid})`,
    hint: "Choose another name",
  }),
  VM_TRANSIENT: (d: { vm: string }) => ({
    message: `Cannot manage VM "${d.vm}": it is transient and disappears when it is off`,
    hint: "Define it as a persistent VM in the hypervisor first",
  }),
  VM_MUST_BE_OFF: (d: { vm: string; change: string }) => ({
    message: `Cannot make change "${d.change}" while VM "${d.vm}" is running`,
    hint: "Stop the VM first, then make the change",
  }),
  VM_PAUSED: (d: { vm: string; reason: string }) => ({
    message: `Cannot do this while VM "${d.vm}" is paused (${d.reason})`,
    hint:
      d.reason === "crashed"
        ? "Its guest crashed and its memory is preserved. stop_vm with force ends it, then start it again"
        : "Resume it in the hypervisor, or stop it with force, then try again",
  }),
  /** `waitingMax`: the limit of callers that wait for one VM, where it was reached. */
  VM_BUSY: (d: { vm: string; holder: string; what: string; since: string; waitedMs: number; waitingMax?: number }) => ({
    message: `Cannot start on VM "${d.vm}": ${d.holder} has been running ${d.what} on it since ${d.since}`,
    hint:
      d.waitingMax === undefined
        ? `Waited ${d.waitedMs} ms. Try again when that operation has ended`
        : `Did not wait: ${d.waitingMax} calls already wait for it. Try again when they have ended`,
  }),
  VM_CHANGED_MEANWHILE: (d: { vm: string }) => ({
    message: `Cannot continue: another program changed VM "${d.vm}" during this operation`,
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
      ? `Fix these findings, or accept them on purpose with accept: ${JSON.stringify(d.findings.map((f) => f.code))}`
      : "Fix these findings; they cannot be overridden, since data would be lost",
  }),
  INSTALLATION_TRANSITION_ILLEGAL: (d: {
    vm: string;
    status: string;
    transition: string;
    legal: readonly string[];
  }) => ({
    message: `Cannot ${d.transition.replaceAll("_", " ")} for VM "${d.vm}": its installation status is ${d.status}`,
    hint: `Possible from ${d.status}: ${list(d.legal)}`,
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
    hint: `Bootwright makes and removes files only inside ${d.directory}`,
  }),
  DISK_EXISTS: (d: { path: string }) => ({
    message: `Cannot create disk "${d.path}": a file of that name exists`,
    hint: "Move the file away; Bootwright never overwrites a file",
  }),
  IMAGE_REFUSED: (d: { path: string; reason: string }) => ({
    message: `Cannot use image "${d.path}": ${d.reason}`,
    hint: "An image may only refer to files inside the connection's image directories",
  }),
  IMAGE_TOOL_FAILED: (d: { command: string; reason: string }) => ({
    message: `Cannot work on the image: ${d.command} failed: ${d.reason}`,
    hint: "Check that qemu-utils is installed and, with get_disk_info, that the image is intact",
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
    hint: "Eject it inside the guest, or wait until the guest unlocks it. force opens it anyway; a guest that runs from this medium may then crash",
  }),
  SHUTDOWN_TIMED_OUT: (d: { vm: string; waitedMs: number }) => ({
    message: `Cannot shut down VM "${d.vm}": the guest did not power off within ${Math.round(d.waitedMs / 1000)} s`,
    hint: "Installers and guests without ACPI ignore the request. Wait and try again, or cut the power with force: true",
  }),
  CONFIRMATION_REQUIRED: (d: { vm: string; losses: readonly string[]; confirm: string; expiresAt: string }) => ({
    message: `This call loses something on VM "${d.vm}": ${d.losses.join("; ")}`,
    hint: `Ask the user. If they agree, make the same call again with confirm: "${d.confirm}" (once, before ${d.expiresAt})`,
  }),
  CONFIRMATION_BY_PERSON: (d: { vm: string; losses: readonly string[] }) => ({
    message: `This call loses something on VM "${d.vm}", and only a person may confirm it: ${d.losses.join("; ")}`,
    hint: "Use a client that can ask its user (MCP elicitation), or start Bootwright without --confirm human",
  }),
  CONFIRMATION_INVALID: (d: { vm: string }) => ({
    message: `Cannot accept this confirmation for VM "${d.vm}": it was used already, has expired, or belongs to another call or another state of the VM`,
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
    hint: "The tool list_jobs gives the ids of the kept jobs; the oldest jobs are removed",
  }),
  JOB_ENDED: (d: { job: string; status: string }) => ({
    message: `Cannot cancel job "${d.job}": it has ended (${d.status})`,
    hint: "Its effects stay; get_job says how it ended",
  }),
  JOB_INTERRUPTED: (d: { job: string; attempts: number }) => ({
    message: `Job "${d.job}" failed: its process ended ${d.attempts} times in a row before the job made progress`,
    hint: "The log of the server that ran it may say why. Begin the job again once the cause is fixed",
  }),
  EVENT_NOT_FOUND: (d: { event: string }) => ({
    message: `Cannot find event "${d.event}"`,
    hint: "The tool list_events gives the ids of the kept events; the oldest events are removed",
  }),
  SUBSCRIBER_NOT_FOUND: (d: { subscriber: string; known: readonly string[] }) => ({
    message: `Cannot find subscriber "${d.subscriber}"`,
    hint: `Known subscribers, nearest first: ${list(d.known)}`,
  }),
  UNDO_IMPOSSIBLE: (d: { operation: string; reason: string }) => ({
    message: `Cannot undo operation ${d.operation}: ${d.reason}`,
    hint: "Make another change instead. Only boot order and media can be undone, while they are as the operation left them",
  }),
  DEFINITION_NOT_FOUND: (d: { vm: string; operation: string; known: readonly string[] }) => ({
    message: `Cannot find a definition of VM "${d.vm}" from before operation "${d.operation}"`,
    hint: `Definitions are kept from before these operations, newest first: ${list(d.known)}`,
  }),
  REPAIR_IMPOSSIBLE: (d: { vm: string; reason: string }) => ({
    message: `Cannot repair VM "${d.vm}": ${d.reason}`,
    hint: "The tool get_vm shows the VM's present state; its findings name the calls that fix it",
  }),
  OUTCOME_UNKNOWN: (d: { vm: string; operation: string; reason: string; until?: string }) => ({
    message: `The outcome of this change of VM "${d.vm}" is unknown: ${d.reason}`,
    hint: d.until
      ? `It may still happen until ${d.until}. Operation ${d.operation} stays open, and the VM takes no other change, until then or until the change is observed`
      : `Operation ${d.operation} stays open, and the VM takes no other change until Bootwright has looked at it again`,
  }),
  ROLLBACK_FAILED: (d: { vm: string; operation: string; reason: string; left: readonly string[] }) => ({
    message: `The change of VM "${d.vm}" failed (${d.reason}) and could not be undone`,
    hint: `Left over: ${list(d.left)}. Operation ${d.operation} has the details; repair_vm restores what is on record, or adopts what is there. A VM whose creation failed has no record: delete_vm on ${d.vm} removes its leftovers`,
  }),
  GOAL_NOT_REACHED: (d: { vm: string; change: string }) => ({
    message: `Change "${d.change}" of VM "${d.vm}" ended without an error, but the VM does not show it`,
    hint: "Look at the VM again; another program may be changing it",
  }),
  CANCELLED: (d: { vm: string }) => ({
    message: `The request for VM "${d.vm}" was cancelled`,
    hint: "Its finished steps were undone where possible; the operation has the details",
  }),
  BACKEND_UNAVAILABLE: (d: { connection: string; reason: string }) => ({
    message: `Cannot reach connection "${d.connection}": ${d.reason}`,
    hint: "Check that the hypervisor's service is running and that this user may use it, then try again",
  }),
  BACKEND_FAILED: (d: { connection: string; change: string; reason: string }) => ({
    message: `Connection "${d.connection}" refused "${d.change}": ${d.reason}`,
    hint: "The reason is the hypervisor's own; fix it there, then try again",
  }),
  ...serverErrors,
} satisfies Record<string, (details: never) => { message: string; hint: string }>;

export type ErrorCode = keyof typeof catalogue;
export const errorCodes = Object.keys(catalogue) as ErrorCode[];
export type ErrorDetails<C extends ErrorCode> = Parameters<(typeof catalogue)[C]>[0];

/** How the operation that this error came from ended, once known. */
export type FailedOutcome = Readonly<{ operation: string; status: string; kept: readonly string[] }>;

export class DomainError<C extends ErrorCode = ErrorCode> extends Error {
  override readonly name = "DomainError";
  readonly code: C;
  readonly hint: string;
  readonly details: ErrorDetails<C>;
  outcome?: FailedOutcome;
  /** The request was sent and not answered, so it may still happen. */
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
