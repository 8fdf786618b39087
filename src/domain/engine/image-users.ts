/** Finds the other users of one VM's disks. */
import type { ImageIdentity } from "../model/image-ref.ts";
import type { State } from "../model/state.ts";
import type { Backend } from "../ports/backend.ts";

export type UsersQuery = Readonly<{
  /** Images beside the VM's own, for example those of a VM that is gone, whose disk another VM may have now. */
  diskPaths?: readonly string[] | undefined;
  indexed: boolean;
  signal?: AbortSignal | undefined;
}>;

/** The other VMs that run on this VM's disks, have them, or have disks with them as backing files. */
export async function imageUsersOf(
  backend: Backend,
  { vm, target }: State,
  { diskPaths = [], indexed, signal }: UsersQuery,
): Promise<NonNullable<State["usage"]>> {
  const { images, imageIndex } = backend;
  const own = (vm?.next.disks ?? []).flatMap(({ path }) => (path === undefined ? [] : [path]));
  const paths = [...new Set([...own, ...diskPaths])];
  if (paths.length === 0) return {};
  const identities = await Promise.all(paths.map((path) => images.identify(images.ref(path))));
  const mine: ImageIdentity[] = [...new Set(identities)];
  return imageIndex.usersOf(backend, mine, { except: target.uuid, indexed, signal });
}
