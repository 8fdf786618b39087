/** The domain's interface to a hypervisor. */
import type { Change, ChangeKind } from "../changes/catalogue.ts";
import type { Vm } from "../model/vm.ts";
import type { ApplyContext } from "./apply-context.ts";
import type { BackendGroups, GroupName } from "./backend-groups.ts";
import type { ImageIndex } from "./image-index.ts";
import type { Images } from "./images.ts";

/** When a change to a running VM takes effect: now, at its next cold start, or never, being refused until the VM is
 * off. */
export type RunningEffect = "now" | "next_start" | "refused";

export type Capabilities = Readonly<{
  backend: string;
  groups: readonly GroupName[];
  /** This backend cannot make a change without an entry. */
  changes: Readonly<Partial<Record<ChangeKind, { running: RunningEffect }>>>;
}>;

export type Host = Readonly<{ memoryBytes: number; cpus: number }>;

/** The methods of every backend. A plugin implements the same methods, with the session as first argument. */
export interface BackendCore {
  /** Calls may still run up to this many milliseconds after their caller disconnects. Absent: calls end with their
   * caller. */
  readonly callOutlivesCallerMs?: number;
  /** Every VM, managed or not, sorted by name. Simultaneous calls share one answer. */
  list(signal?: AbortSignal): Promise<readonly Vm[]>;
  observe(uuid: string, signal?: AbortSignal): Promise<Vm | undefined>;
  /** The UUID of the VM that has this name. */
  lookup(name: string, signal?: AbortSignal): Promise<string | undefined>;
  /** The host's resources, which a VM's must not exceed. Undefined when unknown. */
  host(signal?: AbortSignal): Promise<Host | undefined>;
  /** The backend's own definition as an opaque text, passwords included. */
  exportDefinition(uuid: string, signal?: AbortSignal): Promise<string>;
  /** Puts a whole definition back, for a VM that is gone or whose definition has the fingerprint `expect`. */
  importDefinition(uuid: string, definition: string, context: ApplyContext): Promise<void>;
}

/** One connection to a hypervisor. */
export interface Backend extends BackendCore, Readonly<Partial<BackendGroups>> {
  readonly connection: string;
  readonly capabilities: Capabilities;
  readonly images: Images;
  /** The users of each image. */
  readonly imageIndex: ImageIndex;
  /** Makes one change. It may fail, fail after taking effect, or never return: the caller observes afterwards. */
  apply(vm: Vm | undefined, change: Change, context: ApplyContext): Promise<void>;
}
