/** How each method of a backend is called: how long it may take, who shares its answer, and what the image index hears of
 * it. The compiler asks for a row for each method, and for one that fits. */
import type { IndexFeed } from "../domain/engine/image-index.ts";
import type { ApplyContext } from "../domain/ports/apply-context.ts";
import type { BackendCore } from "../domain/ports/backend.ts";
import type { BackendGroups, GroupName, Hint } from "../domain/ports/backend-groups.ts";
import type { Images } from "../domain/ports/images.ts";

/** Which of the limits of time a look has. */
export type TimeLimit = "short" | "long";

/** Changes nothing, and is ended when its time is up. */
type Read<Given extends readonly unknown[], Answer, SignalAt> = Readonly<{
  call: "read";
  /** What is being done, in the words of a refusal. */
  as: string;
  takes: TimeLimit;
  /** Who asks at the same time gets the same answer; each of them gives up for itself. */
  shared?: SignalAt extends 0 ? true : never;
  updateIndex?: (index: IndexFeed, answer: Answer, begun: number, ...given: Given) => void;
}> &
  // Callers leave it out, so that its place cannot be seen in what is given.
  Readonly<SignalAt extends number ? { signalAt: SignalAt } : { signalAt?: undefined }>;

/** Changes something. What has begun is waited for, however long it takes. */
type Write<Given extends readonly unknown[]> = Readonly<{
  call: "write";
  as: string;
  /** The UUID of the VM that the index looks at again, whatever came of the call. */
  touches?: (...given: Given) => string | undefined;
}>;

/** Runs until its signal ends, and the index hears what it tells. */
type Watch = Readonly<{ call: "watch"; as: string }>;

/** Asks nobody. */
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

/** A row as it is read, of whichever method. */
export type Call =
  | Read<unknown[], unknown, number>
  | Read<unknown[], unknown, undefined>
  | Write<unknown[]>
  | Watch
  | Local;

export const coreCalls: Calls<BackendCore> = {
  // The one look that grows with the number of VMs, and that every list and every check of a disk's users takes.
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

/** The optional groups, in the order in which they are listed; `offers` is what a reader of the docs gets from one. */
export const backendGroups: {
  readonly [G in GroupName]: Readonly<{ offers: string; calls: Calls<BackendGroups[G]> }>;
} = {
  display: {
    offers: "a running VM's screen and keyboard in the browser",
    calls: { console: { call: "read", as: "open the console", takes: "short", signalAt: 1 } },
  },
  guest: {
    offers: "what the agent in a guest says",
    calls: { info: { call: "read", as: "ask the guest", takes: "short", signalAt: 1 } },
  },
  events: {
    offers: "what guests and other programs do, told as it happens",
    calls: { watch: { call: "watch", as: "watch" } },
  },
};
export const groupNames = Object.keys(backendGroups) as GroupName[];

/** `disk` is not among them: its signal and what decides how long it may take stand in one argument. */
export const imageCalls: Calls<Omit<Images, "disk">> = {
  pathFor: { call: "local" },
  isos: { call: "read", as: "list ISOs", takes: "long", signalAt: 0 },
  resolveIso: { call: "read", as: "find an ISO", takes: "short" },
  iso: { call: "read", as: "look at an ISO", takes: "short", signalAt: 1 },
  ref: { call: "local" },
  show: { call: "local" },
  identify: { call: "read", as: "look at a disk", takes: "short" },
  chain: { call: "read", as: "look at a disk", takes: "short" },
  createDisk: { call: "write", as: "disk.create" },
  growDisk: { call: "write", as: "disk.resize" },
  remove: { call: "write", as: "disk.delete" },
  space: { call: "read", as: "look at the space", takes: "short" },
};
