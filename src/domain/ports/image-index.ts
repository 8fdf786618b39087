/** Which VM of one connection stands on which image, backing images included. */
import type { ImageIdentity } from "../model/image-ref.ts";
import type { ImageUsers } from "../model/state.ts";
import type { Vm } from "../model/vm.ts";
import type { Images } from "./images.ts";

/** Where the index looks: the backend that the caller asks, with the caller's time limits. */
export type IndexSource = Readonly<{
  images: Pick<Images, "ref" | "chain" | "identify">;
  list(signal?: AbortSignal): Promise<readonly Vm[]>;
  observe(uuid: string, signal?: AbortSignal): Promise<Vm | undefined>;
}>;

export type IndexQuery = Readonly<{
  /** The VM that asks, which is none of the others. */
  except: string;
  /** What the index knows is enough: nothing is destroyed, written or started on the answer. */
  indexed?: boolean | undefined;
  signal?: AbortSignal | undefined;
}>;

export interface ImageIndex {
  /** Who else uses each of these images. Unless `indexed` says that less is enough, or while nobody watches the
   * connection, the answer comes from one list of all VMs, made for it. An indexed answer costs no call that grows with
   * the number of VMs: what events tell of is looked at again, and so is every VM that the answer names. An edit that
   * makes no event is missed until the watcher's next list. */
  usersOf(
    source: IndexSource,
    images: readonly ImageIdentity[],
    query: IndexQuery,
  ): Promise<Readonly<Record<ImageIdentity, ImageUsers>>>;
}
