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
