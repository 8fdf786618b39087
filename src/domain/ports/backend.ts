/** What the domain needs of the world, in the domain's own words: a hypervisor, its images, and a store. */
import type { Change, ChangeKind } from "../changes/catalogue.ts";
import type { Vm } from "../model/vm.ts";
import type { ApplyContext } from "./apply-context.ts";
import type { BackendGroups, GroupName } from "./backend-groups.ts";
import type { ImageIndex } from "./image-index.ts";
import type { Images } from "./images.ts";

/** What a change does to a running VM: takes effect now, at its next cold start, or is refused until it is off. */
export type RunningEffect = "now" | "next_start" | "refused";

export type Capabilities = Readonly<{
  backend: string;
  groups: readonly GroupName[];
  /** A change without an entry is one that this backend cannot make. */
  changes: Readonly<Partial<Record<ChangeKind, { running: RunningEffect }>>>;
}>;

export type Host = Readonly<{ memoryBytes: number; cpus: number }>;

/** What every backend has. Its methods are a plugin's too, which gets the session first. */
export interface BackendCore {
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
}

/** What the domain needs of a hypervisor. One instance is one connection. */
export interface Backend extends BackendCore, Readonly<Partial<BackendGroups>> {
  readonly connection: string;
  readonly capabilities: Capabilities;
  readonly images: Images;
  /** Who stands on which of them. */
  readonly imageIndex: ImageIndex;
  /** Makes one change. May fail, may fail after working, may never return: the caller looks afterwards. */
  apply(vm: Vm | undefined, change: Change, context: ApplyContext): Promise<void>;
}
