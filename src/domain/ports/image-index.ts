/** The users of one connection's images, backing images included. */
import type { ImageIdentity } from "../model/image-ref.ts";
import type { ImageUsers } from "../model/state.ts";
import type { Vm } from "../model/vm.ts";
import type { Images } from "./images.ts";

/** The index's source: the caller's backend, with the caller's time limits. */
export type IndexSource = Readonly<{
  images: Pick<Images, "ref" | "chain" | "identify">;
  list(signal?: AbortSignal): Promise<readonly Vm[]>;
  observe(uuid: string, signal?: AbortSignal): Promise<Vm | undefined>;
}>;

export type IndexQuery = Readonly<{
  /** The UUID of the asking VM, which is left out. */
  except: string;
  /** The index's knowledge suffices, since nothing is destroyed, written or started based on the answer. */
  indexed?: boolean | undefined;
  signal?: AbortSignal | undefined;
}>;

export interface ImageIndex {
  /** The other users of each of these images. Without `indexed`, or while the connection is not watched, the answer
   * comes from a new list of all VMs. An indexed answer makes no call whose cost grows with the number of VMs: it
   * observes only the VMs that events marked and those that the answer names. It misses an edit without an event until
   * the watcher's next list. */
  usersOf(
    source: IndexSource,
    images: readonly ImageIdentity[],
    query: IndexQuery,
  ): Promise<Readonly<Record<ImageIdentity, ImageUsers>>>;
}
