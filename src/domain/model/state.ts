/** What is true about one target at one moment. */
import type { DiskFact, IsoFact } from "./image-fact.ts";
import type { Target, Vm } from "./vm.ts";
import type { VmRecord } from "./vm-record.ts";

/** All that is known about one target at one moment: what a change is planned on and recognised by. */
export type State = Readonly<{
  target: Target;
  vm?: Vm;
  record?: VmRecord;
  disks: Readonly<Record<string, DiskFact>>;
  isos: Readonly<Record<string, IsoFact>>;
  /** By path of a disk: the other VMs that are running on it, those whose disks stand on it, and those that have it,
   * running or not. Absent when nobody looked. */
  usage?: Readonly<
    Record<string, Readonly<{ inUseBy: readonly string[]; clones: readonly string[]; owners?: readonly string[] }>>
  >;
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
