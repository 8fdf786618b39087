/** What is true about one target at one moment. */
import type { DiskFact, IsoFact } from "./image-fact.ts";
import type { ImageIdentity } from "./image-ref.ts";
import type { Target, Vm } from "./vm.ts";
import type { VmRecord } from "./vm-record.ts";

/** The other VMs that use an image, by name: those that run on it, those whose disks stand on it, and those that have it,
 * running or not. */
export type ImageUsers = Readonly<{
  inUseBy: readonly string[];
  clones: readonly string[];
  owners?: readonly string[];
}>;

/** All that is known about one target at one moment: what a change is planned on and recognised by. */
export type State = Readonly<{
  target: Target;
  vm?: Vm;
  record?: VmRecord;
  disks: Readonly<Record<string, DiskFact>>;
  isos: Readonly<Record<string, IsoFact>>;
  /** Who else uses each of the disks' images. Absent when nobody looked. */
  usage?: Readonly<Record<ImageIdentity, ImageUsers>>;
  /** What the running VM had read of each device when it last reset itself, where somebody watched. */
  readAtReset?: Readonly<Record<string, number>>;
  /** Free space where the VM's disk lies. */
  freeBytes?: number;
}>;

/** The facets of a state that a change looks at; what is not named is not looked at. */
export type Facets = Readonly<{
  /** `next`: the VM with the definition that its next start uses. `all`: what runs as well. */
  vm?: "next" | "all";
  record?: true;
  /** Paths of disk images and of ISOs. */
  disks?: readonly string[];
  isos?: readonly string[];
}>;

/** The state with these facets alone. */
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

/** Who else uses the image of the disk that is at this path; undefined when nobody looked. */
export function usersAt({ disks, usage }: State, path: string): ImageUsers | undefined {
  const image = disks[path]?.image;
  return image === undefined ? undefined : usage?.[image];
}
