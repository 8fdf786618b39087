/** The state of one target at one moment. */
import type { DiskFact, IsoFact } from "./image-fact.ts";
import type { ImageIdentity } from "./image-ref.ts";
import type { Target, Vm } from "./vm.ts";
import type { VmRecord } from "./vm-record.ts";

/** The names of the other VMs that use an image. `inUseBy`: VMs that run on it. `clones`: VMs whose disks have it as a
 * backing file. `owners`: VMs that have it, running or not. */
export type ImageUsers = Readonly<{
  inUseBy: readonly string[];
  clones: readonly string[];
  owners?: readonly string[];
}>;

/** Everything known about one target at one moment. Changes are planned and recognised by it. */
export type State = Readonly<{
  target: Target;
  vm?: Vm;
  record?: VmRecord;
  disks: Readonly<Record<string, DiskFact>>;
  isos: Readonly<Record<string, IsoFact>>;
  /** The other users of each of the disks' images. Absent when not examined. */
  usage?: Readonly<Record<ImageIdentity, ImageUsers>>;
  /** Bytes that the running VM had read from each device at its last reset, by target, if a process watched. */
  readAtReset?: Readonly<Record<string, number>>;
  /** Free space in the file system of the VM's disk, in bytes. */
  freeBytes?: number;
}>;

/** The facets of a state that a change reads; it reads no others. */
export type Facets = Readonly<{
  /** `next`: the VM with the definition that its next start uses. `all`: the running definition, too. */
  vm?: "next" | "all";
  record?: true;
  /** Paths of disk images and of ISOs. */
  disks?: readonly string[];
  isos?: readonly string[];
}>;

/** The state reduced to these facets. */
export function withFacets({ target, vm, record, disks, isos }: State, facets: Facets): State {
  const { live, readBytes: _evidence, ...known } = vm ?? ({} as Partial<Vm>);
  const shown = facets.vm && vm && { ...(known as Vm), ...(facets.vm === "all" && live && { live }) };
  return {
    target,
    ...(shown && { vm: shown }),
    ...(facets.record && record && { record }),
    disks: only(disks, facets.disks),
    isos: only(isos, facets.isos),
  };
}

const only = <Fact>(facts: Readonly<Record<string, Fact>>, paths: readonly string[] = []) =>
  Object.fromEntries(Object.entries(facts).filter(([path]) => paths.includes(path)));

/** The other users of the image of the disk at this path; undefined when not examined. */
export function usersAt({ disks, usage }: State, path: string): ImageUsers | undefined {
  const image = disks[path]?.image;
  return image === undefined ? undefined : usage?.[image];
}
