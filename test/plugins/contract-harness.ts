/** What the contract's tests work with: a backend that is open, and VMs that are gone when a test has ended. */
import type { Change } from "../../src/domain/changes/catalogue.ts";
import { targetsFor, type VmSpec } from "../../src/domain/changes/lifecycle.ts";
import { observe } from "../../src/domain/engine/observe.ts";
import { DomainError } from "../../src/domain/error.ts";
import type { State } from "../../src/domain/model/state.ts";
import type { Vm } from "../../src/domain/model/vm.ts";
import type { ApplyContext } from "../../src/domain/ports/apply-context.ts";
import type { Backend } from "../../src/domain/ports/backend.ts";
import type { BackendGroups, GroupName } from "../../src/domain/ports/backend-groups.ts";
import type { Store } from "../../src/domain/ports/store.ts";
import { guestPrefix } from "../support/guest-names.ts";

export type Opened = Readonly<{
  backend: Backend;
  /** Absolute paths in the connection's ISO library: one that the VMs' firmware boots, one that it does not, and one whose
   * system resets the machine by itself. */
  isos: Readonly<{ bootable: string; data: string; resets?: string }>;
  /** What every new VM needs here beside what `specFor` says: no network, emulation, a smaller memory. */
  spec?: Partial<VmSpec>;
  /** Saves a running VM's state, where the backend knows that: there is no change for it. */
  saveState?: (uuid: string) => Promise<void>;
  /** Further names of an image: the first one in the image directory, where it is removed by itself. */
  otherNames?: (path: string) => Promise<readonly string[]>;
  /** Another program edits the VM's definition behind the backend's back: its boot order, say. */
  editElsewhere?: (uuid: string) => Promise<void>;
  /** Has the guest of a running VM reset itself, which one that was booted from `isos.resets` does without being asked. */
  guestResets?: (uuid: string) => Promise<void>;
  close: () => Promise<void>;
}>;

/** What a test gets: the backend, and VMs that are removed when it has ended. */
export type Harness = Opened &
  Readonly<{
    /** A VM to be made; whatever comes of it is removed when the test has ended. */
    newSpec(more?: Partial<VmSpec>): VmSpec;
    /** A VM that is not there yet, beside its blank disk. */
    prepare(spec: VmSpec): Promise<State>;
    /** A new VM with its blank disk, running if asked for. */
    make(more?: Partial<VmSpec>, running?: boolean): Promise<State>;
    look(uuid: string, paths?: Readonly<{ disks?: readonly string[]; isos?: readonly string[] }>): Promise<State>;
    /** Applies a change to what was seen, and looks again. */
    apply(seen: State, change: Change, context?: Partial<ApplyContext>): Promise<State>;
    /** The file is removed when the test has ended. */
    track(path: string): void;
  }>;

export const DISK_BYTES = 64 * 1024 ** 2;
export const AT = "2026-11-23T10:00:00.000Z";
const noRecords = { record: async () => undefined } as unknown as Store;

/** A small VM that boots its CD-ROM first. */
export function specFor({ images }: Backend, more: Partial<VmSpec> = {}): VmSpec {
  const uuid = more.uuid ?? crypto.randomUUID();
  return {
    uuid,
    name: `${guestPrefix}contract-${uuid.slice(0, 8)}`,
    memoryBytes: 128 * 1024 ** 2,
    cpus: 1,
    firmware: "bios",
    tpm: false,
    diskPath: images.pathFor(uuid, "qcow2"),
    diskBus: "virtio",
    ...targetsFor(more.diskBus ?? "virtio"),
    network: "none",
    order: "cdrom_hd",
    serialLog: images.pathFor(uuid, "serial.log"),
    acceleration: "auto",
    claim: { uuid, revision: 1, status: "NotInstalled" },
    ...more,
  };
}

export const contextFor = ({ vm }: State, more: Partial<ApplyContext> = {}): ApplyContext => ({
  signal: new AbortController().signal,
  progress: () => {},
  ...(vm && { expect: vm.fingerprint }),
  ...more,
});

/** The VM without what changes by itself while it runs. */
export const still = (vm: Vm | undefined) => {
  if (!vm) return undefined;
  const { readBytes: _moving, ...rest } = vm;
  return rest;
};

export const codeOf = async (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => "nothing was thrown",
    (error: unknown) => (error instanceof DomainError ? error.code : String(error)),
  );

export type Test = (title: string, body: (harness: Harness) => Promise<unknown>, timeoutMs?: number) => void;

/** A test of a group, which gets the backend's own. */
export type GroupTest<G extends GroupName> = (
  title: string,
  body: (harness: Harness, group: BackendGroups[G]) => Promise<unknown>,
  timeoutMs?: number,
) => void;

/** A harness over an open backend, and what clears it. */
export function harnessOn(opened: Opened): Readonly<{ harness: Harness; clear: () => Promise<void> }> {
  const { backend } = opened;
  const made = new Set<string>();
  const files = new Set<string>();
  const harness: Harness = {
    ...opened,
    newSpec(more) {
      const spec = specFor(backend, { ...opened.spec, ...more });
      made.add(spec.uuid);
      files.add(spec.diskPath).add(spec.serialLog);
      return spec;
    },
    track: (path) => void files.add(path),
    look: (uuid, { disks = [], isos = [] } = {}) =>
      observe(
        { backend, store: noRecords },
        { connection: backend.connection, uuid },
        { diskPaths: disks, isoPaths: isos },
      ),
    async apply(seen, change, context) {
      await backend.apply(seen.vm, change, contextFor(seen, context));
      return harness.look(seen.target.uuid, { disks: Object.keys(seen.disks), isos: Object.keys(seen.isos) });
    },
    async prepare({ uuid, diskPath, isoPath }) {
      const nothing = await harness.look(uuid, { disks: [diskPath], isos: isoPath === undefined ? [] : [isoPath] });
      return harness.apply(nothing, { kind: "disk.create", path: diskPath, sizeBytes: DISK_BYTES });
    },
    async make(more, running = false) {
      const spec = harness.newSpec(more);
      const off = await harness.apply(await harness.prepare(spec), creation(spec));
      return running ? harness.apply(off, start) : off;
    },
  };
  const clear = async () => {
    for (const uuid of made) await removeVm(backend, uuid);
    for (const path of files) await backend.images.remove(path);
    made.clear();
    files.clear();
  };
  return { harness, clear };
}

export const start: Change = { kind: "power.start", purpose: "live", at: AT };
export const creation = (spec: VmSpec): Change => ({
  kind: "vm.create",
  spec,
  ownedFiles: [spec.diskPath, spec.serialLog],
  at: AT,
});

async function removeVm(backend: Backend, uuid: string): Promise<void> {
  const context = { signal: AbortSignal.timeout(30_000), progress: () => {} };
  const seen = await backend.observe(uuid);
  if (seen && seen.power !== "off")
    await backend.apply(seen, { kind: "power.stop", force: true, timeoutMs: 0 }, context);
  const off = await backend.observe(uuid);
  if (off?.savedState) await backend.apply(off, { kind: "saved_state.discard" }, context);
  if (off) await backend.apply(off, { kind: "vm.delete" }, context);
}
