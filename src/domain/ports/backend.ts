/** What the domain needs of the world, in the domain's own words: a hypervisor, its images, and a store. */
import type { Change, ChangeKind } from "../changes/catalogue.ts";
import type { DiskFact } from "../changes/disk.ts";
import type { DomainEvent } from "../model/event.ts";
import type { RequestKeys } from "./idempotency.ts";
import type { EventStore } from "./event-store.ts";
import type { IsoFact } from "../changes/media.ts";
import type { Operation, OperationStatus, Step } from "../changes/operation.ts";
import type { ReportedState } from "../model/reported-state.ts";
import type { Target, Vm, VmRecord } from "../model/vm.ts";

/** What a change does to a running VM: takes effect now, at its next cold start, or is refused until it is off. */
export type RunningEffect = "now" | "next_start" | "refused";

export type Capabilities = Readonly<{
  backend: string;
  /** There is a way to the screen and keyboard of a running VM. */
  console?: true;
  /** A change without an entry is one that this backend cannot make. */
  changes: Readonly<Partial<Record<ChangeKind, { running: RunningEffect }>>>;
}>;

export type Host = Readonly<{ memoryBytes: number; cpus: number }>;

/** What a guest's agent says of its system. `disks` are targets of the VM's own disks, as in its definition. */
export type GuestInfo = Readonly<{
  osId?: string;
  osName?: string;
  filesystems: readonly Readonly<{ mountpoint: string; type: string; disks: readonly string[] }>[];
}>;

/** A running VM's screen, keyboard and mouse: the bytes of its protocol from the first one on, as to a server that wants
 * no password. It ends with the run; who no longer wants it cancels the one and aborts the other. */
export type Console = Readonly<{
  kind: "vnc";
  readable: ReadableStream<Uint8Array>;
  writable: WritableStream<Uint8Array>;
}>;

/** Something that happened in one run and leaves no trace that a later look could find. */
export type Occurrence = Readonly<
  | { type: "rebooted" }
  | { type: "io_error"; target?: string; reason?: string }
  | { type: "space_low"; target: string; freeBytes: number }
> &
  Readonly<{ run: string }>;

/** That a VM is worth a look; without a UUID, that all of them are. */
export type Hint = Readonly<{ uuid?: string; occurrence?: Occurrence }>;

export type Space = Readonly<{ freeBytes: number; totalBytes: number }>;

/** The images of one connection, where its VMs run. Every path is resolved (symbolic links included) and held inside
 * the connection's directories before anything opens it. */
export interface Images {
  readonly imageDirectory: string;
  readonly isoDirectories: readonly string[];
  /** Where the file of this kind belongs for this VM: `<images>/<uuid>.<extension>`. */
  pathFor(uuid: string, extension: string): string;
  /** Every ISO in the library, sorted by path, probed. */
  isos(signal?: AbortSignal): Promise<IsoFact[]>;
  /** The absolute path of an ISO given by path or by its name in the library.
   * @throws DomainError ISO_OUTSIDE_LIBRARY, ISO_NOT_FOUND */
  resolveIso(pathOrName: string): Promise<string>;
  /** Facts of one ISO; never throws for what the file is. */
  iso(path: string, signal?: AbortSignal): Promise<IsoFact>;
  /** Facts of one disk image; never throws for what the file is. `check` also looks for corruption, which reads the
   * image's tables and must not be asked for while a VM writes to it. */
  disk(path: string, options?: { check?: boolean; signal?: AbortSignal }): Promise<DiskFact>;
  /** The chain of backing files from the headers alone: cheap enough for a thousand images. */
  chain(path: string): Promise<readonly string[]>;
  createDisk(path: string, sizeBytes: number, signal?: AbortSignal): Promise<void>;
  /** Grows an image that no running VM has open. */
  growDisk(path: string, sizeBytes: number, signal?: AbortSignal): Promise<void>;
  /** Removes a file inside the image directory; a missing file is no error. */
  remove(path: string): Promise<void>;
  space(path?: string): Promise<Space>;
}

export type ApplyContext = Readonly<{
  /** The fingerprint that the definition must still have right before the write; absent for a VM that does not exist.
   * A backend that sees another throws VM_CHANGED_MEANWHILE and touches nothing. */
  expect?: string;
  signal: AbortSignal;
  progress: (message: string) => void;
}>;

/** What the domain needs of a hypervisor. One instance is one connection. */
export interface Backend {
  readonly connection: string;
  readonly capabilities: Capabilities;
  readonly images: Images;
  /** What runs the VMs outlives its callers: for so many milliseconds at most it may carry out a call after whoever made it
   * has ended. Absent where it ends with them. */
  readonly callOutlivesCallerMs?: number;
  /** Every VM there is, managed or not, sorted by name. Who asks at the same time gets the same answer. */
  list(signal?: AbortSignal): Promise<readonly Vm[]>;
  observe(uuid: string, signal?: AbortSignal): Promise<Vm | undefined>;
  /** The UUID of the VM that has this name. */
  lookup(name: string, signal?: AbortSignal): Promise<string | undefined>;
  /** What the host has; what a VM asks for must fit. */
  host(signal?: AbortSignal): Promise<Host>;
  /** The backend's own definition as an opaque text, passwords included. */
  exportDefinition(uuid: string, signal?: AbortSignal): Promise<string>;
  /** Puts a definition back whole; for a VM that is gone, or whose definition has the fingerprint `expect`. */
  importDefinition(uuid: string, definition: string, context: ApplyContext): Promise<void>;
  /** Makes one change. May fail, may fail after working, may never return: the caller looks afterwards. */
  apply(vm: Vm | undefined, change: Change, context: ApplyContext): Promise<void>;
  /** What the guest's agent says; undefined where none answers. Absent where the backend cannot ask. */
  guest?(uuid: string, signal?: AbortSignal): Promise<GuestInfo | undefined>;
  /** The screen and keyboard of a running VM; undefined where it is off or has none. Absent where the backend has none.
   * The signal ends the opening, not what was opened.
   * @throws DomainError CONSOLE_UNAVAILABLE where there is one that cannot be reached */
  console?(uuid: string, signal?: AbortSignal): Promise<Console | undefined>;
  /** Tells what is worth a look as it happens, the first time of all VMs once it listens. Ends with the signal, and when
   * the connection is lost: what happened meanwhile nobody tells. Absent where the backend has no events. */
  watch?(tell: (hint: Hint) => void, signal: AbortSignal): Promise<void>;
}

export type Claim = Readonly<{
  /** Operations on this VM that a dead process left open: they are to be settled before anything else. */
  left: readonly Operation[];
  /** Gives the VM back. Where the store cannot record that now, it goes on trying and this does not fail. */
  release(): Promise<void>;
}>;

export type Settlement = Readonly<{
  status: Exclude<OperationStatus, "begun">;
  steps: readonly Step[];
  error?: Readonly<{ code: string; message: string }>;
  /** The VM's row as it should be now; `null` removes it; absent leaves it. */
  record?: VmRecord | null;
  /** Given what was last told of the VM: what is told of it from now on (`null` when it is gone), and the events that this
   * takes, which come before those of the operation. Absent leaves all that as it is. */
  reports?: (told: ReportedState | undefined) => Readonly<{ sighting: ReportedState | null; events: readonly DomainEvent[] }>;
  events: readonly DomainEvent[];
}>;

export type OperationQuery = Readonly<{
  target?: Target;
  connection?: string;
  status?: readonly OperationStatus[];
  /** The id of the last operation of the page before this one. */
  before?: string;
  limit: number;
}>;

/** That an operation kept the definition from before it; the text itself may be large and holds passwords. */
export type KeptDefinition = Readonly<{ operation: string; what: string; begunAt: string; bytes: number }>;

/** How much history is kept. Operations that are begun or ended `unknown` stay whatever it says, and so do the newest
 * few of every VM on record, whatever their age. */
export type Retention = Readonly<{
  /** Of all VMs together, those that are gone included. */
  operations: number;
  operationsPerVm: number;
  operationAgeMs: number;
  definitionsPerVm: number;
  definitionAgeMs: number;
  events: number;
}>;

/** How many operations, backups of operations that stay, and events were removed. */
export type Pruned = Readonly<{ operations: number; definitions: number; events: number }>;

/** A copy of the database, and the older copies that were removed to make room for it. */
export type DatabaseCopy = Readonly<{ path: string; bytes: number; removed: readonly string[] }>;

/** What the domain needs of a database. Every method is durable when it returns. */
export interface Store extends EventStore, RequestKeys {
  record(target: Target): Promise<VmRecord | undefined>;
  records(connection?: string): Promise<VmRecord[]>;
  /** One operation per VM at a time, across processes. Waits at most `waitMs`.
   * @throws DomainError VM_BUSY with who holds the VM and since when */
  claim(
    target: Target,
    holder: Readonly<{ actor: string; what: string }>,
    waitMs: number,
    signal?: AbortSignal,
  ): Promise<Claim>;
  begin(operation: Operation): Promise<void>;
  /** Records how far a begun operation has come, between its steps. */
  advance(id: string, steps: readonly Step[], direction: Operation["direction"]): Promise<void>;
  /** Outcome, VM row and events in one transaction. Settling twice changes nothing. */
  settle(id: string, settlement: Settlement): Promise<void>;
  operation(id: string): Promise<Operation | undefined>;
  /** Operations that are begun and whose holder is dead, or that ended `unknown`. */
  open(target?: Target): Promise<Operation[]>;
  /** Newest first, without their backups.
   * @throws DomainError OPERATION_NOT_FOUND for a `before` that is not there */
  operations(query: OperationQuery): Promise<Operation[]>;
  /** The VM that was made or deleted under this name last, on one of these connections. */
  lastNamed(name: string, connections: readonly string[]): Promise<Target | undefined>;
  /** The backups there are of one VM's definition, newest first. */
  definitions(target: Target, limit: number): Promise<KeptDefinition[]>;
  /** The definition from before this operation; `undefined` where none was kept. */
  definition(operation: string): Promise<string | undefined>;
  /** Removes history beyond this retention. Happens by itself now and then after a settlement. */
  prune(retention: Retention): Promise<Pruned>;
  /** Copies the database as it is at one moment into a new file for the owner alone, beside the database, while others
   * go on writing. The copy has all the backups in it, passwords included. Only the newest copies are kept.
   * @throws DomainError STORE_UNAVAILABLE, STORE_LOCKED */
  copyDatabase(): Promise<DatabaseCopy>;
  /** Updates what was last seen of a VM, without an operation and without a new revision. */
  seen(target: Target, seen: NonNullable<VmRecord["seen"]>): Promise<void>;
  /** Stores a confirmation for one use within `ttlMs`; only a hash of the token is kept. */
  offerConfirmation(token: string, subject: string, ttlMs: number): Promise<void>;
  /** True once, for a token offered for exactly this subject and not expired. */
  takeConfirmation(token: string, subject: string): Promise<boolean>;
  close(): Promise<void>;
}

/** The configured connections. Nothing is connected until a backend is first used. */
export interface Connections {
  readonly names: readonly string[];
  /** Read from the plugin alone. */
  capabilities(name: string): Capabilities;
  /** @throws DomainError CONNECTION_NOT_FOUND, PLUGIN_CONFIG_INVALID */
  backend(name: string): Promise<Backend>;
}

/** What an operation is given: one backend, the store, and what makes it repeatable in a test. */
export type Ports = Readonly<{
  backend: Backend;
  store: Store;
  newId: () => string;
  now: () => Date;
  /** How long to wait for another operation on the same VM, in milliseconds. */
  claimWaitMs: number;
}>;
