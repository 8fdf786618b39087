/** Observes one target: the VM, its record, and the images that matter to it. All I/O goes through the ports. */

import { definitionOf } from "../changes/catalogue.ts";
import type { Operation } from "../changes/operation.ts";
import { withDeadline } from "../deadline.ts";
import type { DiskFact, IsoFact } from "../model/image-fact.ts";
import type { State } from "../model/state.ts";
import type { Target } from "../model/vm.ts";
import type { Backend } from "../ports/backend.ts";
import type { Ports } from "../ports/operation-ports.ts";
import type { Store } from "../ports/store.ts";
import { imageUsersOf } from "./image-users.ts";

export type ObserveOptions = Readonly<{
  /** Further images to observe, beside the VM's own. */
  isoPaths?: readonly string[];
  diskPaths?: readonly string[];
  /** Also find the other users of the VM's disks and `diskPaths`. `true` reads every VM's definition, as a call that
   * starts a VM, or destroys or writes an image, must. `indexed` takes the index's answer, for calls that only read or
   * only write a definition. */
  usage?: boolean | "indexed";
  /** `false`: skips the images, which a check of a definition does not need. */
  images?: boolean;
  /** `false`: skips the record, which nothing else writes while an operation holds the VM. */
  record?: boolean;
  signal?: AbortSignal;
}>;

export async function observe(
  ports: { backend: Backend; store: Store },
  target: Target,
  look: ObserveOptions = {},
): Promise<State> {
  const { backend, store } = ports;
  const [vm, record] = await Promise.all([
    backend.observe(target.uuid, look.signal),
    look.record === false ? undefined : store.record(target),
  ]);
  const reportedState =
    vm?.run !== undefined && record ? (await store.reportedState(target))?.reportedState : undefined;
  const readAtReset = reportedState?.run === vm?.run ? reportedState?.readAtReset : undefined;
  const state: State = {
    target,
    disks: {},
    isos: {},
    ...(vm && { vm }),
    ...(record && { record }),
    ...(readAtReset && { readAtReset }),
  };
  return look.images === false ? state : withImages(backend, state, look);
}

/** The state with the facts of its images. */
export async function withImages(backend: Backend, state: State, look: ObserveOptions = {}): Promise<State> {
  const { signal } = look;
  const options = signal ? { signal } : {};
  const definitions = [state.vm?.next, state.vm?.live].filter((definition) => definition !== undefined);
  const wantedIsos = definitions.flatMap(({ drives }) => drives.map(({ path }) => path)).concat(look.isoPaths ?? []);
  const wantedDisks = definitions.flatMap(({ disks }) => disks.map(({ path }) => path)).concat(look.diskPaths ?? []);
  const unique = (paths: readonly (string | undefined)[]) => [...new Set(paths)].filter((path) => path !== undefined);
  const system = definitions[0]?.disks[0]?.path ?? look.diskPaths?.[0];
  const [usage, space, isos, disks] = await Promise.all([
    look.usage ? imageUsersOf(backend, state, { ...look, indexed: look.usage === "indexed" }) : undefined,
    backend.images.space(system).catch(() => undefined),
    Promise.all(unique(wantedIsos).map((path) => backend.images.iso(path, signal))),
    Promise.all(unique(wantedDisks).map((path) => backend.images.disk(path, options))),
  ]);
  return {
    ...state,
    isos: Object.fromEntries(isos.map((fact): [string, IsoFact] => [fact.path, fact])),
    disks: Object.fromEntries(disks.map((fact): [string, DiskFact] => [fact.path, fact])),
    ...(usage && { usage }),
    ...(space && { freeBytes: space.freeBytes }),
  };
}

/** The observation after a write has its own deadline: its result is needed even when the caller has given up. */
const REOBSERVE_LIMIT_MS = 30_000;

/** Observes the target again; returns an error when that fails. It tries twice, since the first call after a lost
 * connection only discovers the loss. */
export async function reobserve(ports: Ports, operation: Operation, look: ObserveOptions): Promise<State | Error> {
  const once = (signal: AbortSignal) => observe(ports, operation.target, { ...look, record: false, signal });
  try {
    return await withDeadline(REOBSERVE_LIMIT_MS, (signal) =>
      once(signal).catch((error: unknown) => {
        if (signal.aborted) throw error;
        return once(signal);
      }),
    );
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

/** The observations that an operation's steps need: the files that they make, grow or remove, or no image at all. */
export function observeOptionsFor({ steps }: Operation): ObserveOptions {
  const observed = steps.map(({ change }) => definitionOf(change).observes(change));
  const diskPaths = [...new Set(observed.flatMap(({ disks }) => disks ?? []))];
  const isoPaths = [...new Set(observed.flatMap(({ isos }) => isos ?? []))];
  return diskPaths.length + isoPaths.length === 0 ? { images: false } : { diskPaths, isoPaths };
}

/** The observed state, with the record and the image facts that are known already and that no step changes. */
export const withKnownFacts = (looked: State, { disks, isos, usage, freeBytes, record }: State): State => ({
  ...(record && { record }),
  ...(usage && { usage }),
  ...(freeBytes !== undefined && { freeBytes }),
  ...looked,
  disks: { ...disks, ...looked.disks },
  isos: { ...isos, ...looked.isos },
});
