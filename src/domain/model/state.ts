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

/** Who else uses the image of the disk that is at this path; undefined when nobody looked. */
export function usersAt({ disks, usage }: State, path: string): ImageUsers | undefined {
  const image = disks[path]?.image;
  return image === undefined ? undefined : usage?.[image];
}
