/** Looking at one target: the VM, its record, and the images that matter to it. I/O through port.ts only. */

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
  /** Further images to look at, beside those that the VM has. */
  isoPaths?: readonly string[];
  diskPaths?: readonly string[];
  /** Also find out who else uses the VM's disks and `diskPaths`. `true` reads every VM's definition for it, as whatever
   * starts a VM, or destroys or writes an image, has to; `indexed` takes what the index knows, for what only reads and for
   * what writes a definition alone. */
  usage?: boolean | "indexed";
  /** Leave the images alone: enough to see whether a definition is as it should be. */
  images?: boolean;
  /** Leave the record alone: while an operation holds the VM nobody else writes it. */
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
  const sighting = vm?.run !== undefined && record ? (await store.reportedState(target))?.reportedState : undefined;
  const readAtReset = sighting?.run === vm?.run ? sighting?.readAtReset : undefined;
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

/** The look after a write is not on the caller's time: what was written has to be seen, whoever still waits for it. */
const REOBSERVE_LIMIT_MS = 30_000;

/** Looks at the target again; an error when nobody can look. A connection that was lost is only noticed by whoever uses
 * it next, so the first failure is not the last word. */
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

/** What an operation's steps need to see: the files that they make, grow or remove, or no image at all. */
export function observeOptionsFor({ steps }: Operation): ObserveOptions {
  const observed = steps.map(({ change }) => definitionOf(change).observes(change));
  const diskPaths = [...new Set(observed.flatMap(({ disks }) => disks ?? []))];
  const isoPaths = [...new Set(observed.flatMap(({ isos }) => isos ?? []))];
  return diskPaths.length + isoPaths.length === 0 ? { images: false } : { diskPaths, isoPaths };
}

/** What was seen, with the record and the facts of images that were found out before and that no step changes. */
export const withKnownFacts = (looked: State, { disks, isos, usage, freeBytes, record }: State): State => ({
  ...(record && { record }),
  ...(usage && { usage }),
  ...(freeBytes !== undefined && { freeBytes }),
  ...looked,
  disks: { ...disks, ...looked.disks },
  isos: { ...isos, ...looked.isos },
});
