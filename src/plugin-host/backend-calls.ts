/** How each method of a backend is called: its time limit, whether callers share its answer, and how it updates the image
 * index. The compiler requires a fitting row for each method. */
import type { IndexFeed } from "../domain/engine/image-index.ts";
import type { ApplyContext } from "../domain/ports/apply-context.ts";
import type { BackendCore } from "../domain/ports/backend.ts";
import type { BackendGroups, GroupName, Hint } from "../domain/ports/backend-groups.ts";
import type { Images } from "../domain/ports/images.ts";

/** Which time limit a read has. */
export type TimeLimit = "short" | "long";

/** Changes nothing. It is aborted at its time limit. */
type Read<Given extends readonly unknown[], Answer, SignalAt> = Readonly<{
  call: "read";
  /** The name of the call in a refusal. */
  as: string;
  takes: TimeLimit;
  /** Concurrent callers share one answer. Each caller can give up alone. */
  shared?: SignalAt extends 0 ? true : never;
  updateIndex?: (index: IndexFeed, answer: Answer, begun: number, ...given: Given) => void;
}> &
  // Callers may omit the signal, so its index cannot be derived from the arguments.
  Readonly<SignalAt extends number ? { signalAt: SignalAt } : { signalAt?: undefined }>;

/** Changes something. It has no time limit: a change that has begun is awaited. */
type Write<Given extends readonly unknown[]> = Readonly<{
  call: "write";
  as: string;
  /** The UUID of the VM that the index reads again, whether or not the call succeeds. */
  touches?: (...given: Given) => string | undefined;
}>;

/** Runs until its signal aborts. The index receives each hint too. */
type Watch = Readonly<{ call: "watch"; as: string }>;

/** Needs no I/O. */
type Local = Readonly<{ call: "local" }>;

type Watching = [report: (hint: Hint) => void, signal: AbortSignal];

type CallOf<Given extends readonly unknown[], Answer> =
  Answer extends Promise<infer Of>
    ? Given extends Watching
      ? Watch
      : Required<Given> extends readonly [...unknown[], ApplyContext]
        ? Write<Given>
        : Required<Given> extends readonly [...infer Before, AbortSignal]
          ? Read<Given, Of, Before["length"]> | Write<Given>
          : Read<Given, Of, undefined> | Write<Given>
    : Local;

/** A row for each method of a port. */
export type Calls<Port> = {
  readonly [K in keyof Port as Port[K] extends (...given: never[]) => unknown ? K : never]: Port[K] extends (
    ...given: infer Given
  ) => infer Answer
    ? CallOf<Given, Answer>
    : never;
};

/** A row of any method. */
export type Call =
  | Read<unknown[], unknown, number>
  | Read<unknown[], unknown, undefined>
  | Write<unknown[]>
  | Watch
  | Local;

export const coreCalls: Calls<BackendCore> = {
  // The only read whose cost grows with the number of VMs. Every list and every check of a disk's users makes it.
  list: {
    call: "read",
    as: "list",
    takes: "long",
    signalAt: 0,
    shared: true,
    updateIndex: (index, vms, begun) => index.listed(vms, begun),
  },
  observe: {
    call: "read",
    as: "observe",
    takes: "short",
    signalAt: 1,
    updateIndex: (index, vm, begun, uuid) => index.observed(uuid, vm, begun),
  },
  lookup: { call: "read", as: "lookup", takes: "short", signalAt: 1 },
  host: { call: "read", as: "host", takes: "short", signalAt: 0 },
  exportDefinition: { call: "read", as: "export the definition", takes: "short", signalAt: 1 },
  importDefinition: { call: "write", as: "import the definition", touches: (uuid) => uuid },
};

/** The optional groups, in the order of their listing. `offers` describes a group in the docs. */
export const backendGroups: {
  readonly [G in GroupName]: Readonly<{ offers: string; calls: Calls<BackendGroups[G]> }>;
} = {
  display: {
    offers: "a running VM's screen and keyboard in the browser",
    calls: { console: { call: "read", as: "open the console", takes: "short", signalAt: 1 } },
  },
  guest: {
    offers: "the answers of the agent in a guest",
    calls: { info: { call: "read", as: "ask the guest", takes: "short", signalAt: 1 } },
  },
  events: {
    offers: "what guests and other programs do, reported as it happens",
    calls: { watch: { call: "watch", as: "watch" } },
  },
};
export const groupNames = Object.keys(backendGroups) as GroupName[];

/** `disk` is missing: one argument holds both its signal and the option that decides its time limit. */
export const imageCalls: Calls<Omit<Images, "disk">> = {
  pathFor: { call: "local" },
  isos: { call: "read", as: "list ISOs", takes: "long", signalAt: 0 },
  resolveIso: { call: "read", as: "find an ISO", takes: "short" },
  iso: { call: "read", as: "read an ISO", takes: "short", signalAt: 1 },
  ref: { call: "local" },
  show: { call: "local" },
  identify: { call: "read", as: "read a disk", takes: "short" },
  chain: { call: "read", as: "read a disk", takes: "short" },
  createDisk: { call: "write", as: "disk.create" },
  growDisk: { call: "write", as: "disk.resize" },
  remove: { call: "write", as: "disk.delete" },
  space: { call: "read", as: "read the free space", takes: "short" },
};
