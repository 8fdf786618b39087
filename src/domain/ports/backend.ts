/** What the domain needs of the world, in the domain's own words: a hypervisor, its images, and a store. */
import type { Change, ChangeKind } from "../changes/catalogue.ts";
import type { Occurrence } from "../model/occurrence.ts";
import type { Vm } from "../model/vm.ts";
import type { ImageIndex } from "./image-index.ts";
import type { Images } from "./images.ts";

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

/** That a VM is worth a look; without a UUID, that all of them are. */
export type Hint = Readonly<{ uuid?: string; occurrence?: Occurrence }>;

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
  /** Who stands on which of them. */
  readonly imageIndex: ImageIndex;
  /** What runs the VMs outlives its callers: for so many milliseconds at most it may carry out a call after whoever made it
   * has ended. Absent where it ends with them. */
  readonly callOutlivesCallerMs?: number;
  /** Every VM there is, managed or not, sorted by name. Who asks at the same time gets the same answer. */
  list(signal?: AbortSignal): Promise<readonly Vm[]>;
  observe(uuid: string, signal?: AbortSignal): Promise<Vm | undefined>;
  /** The UUID of the VM that has this name. */
  lookup(name: string, signal?: AbortSignal): Promise<string | undefined>;
  /** What the host has; what a VM asks for must fit. Undefined where nobody knows. */
  host(signal?: AbortSignal): Promise<Host | undefined>;
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
