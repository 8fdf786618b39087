/** The index of one connection's images in this process's memory. Every observation of a VM feeds it; the hypervisor's
 * events and this process's changes mark the VMs that have to be observed again. */
import { withDeadline } from "../deadline.ts";
import type { ImageIdentity } from "../model/image-ref.ts";
import type { ImageUsers } from "../model/state.ts";
import type { Vm, VmDefinition } from "../model/vm.ts";
import type { Hint } from "../ports/backend-groups.ts";
import type { ImageIndex, IndexSource } from "../ports/image-index.ts";

/** Keeps the index up to date. An observation proves nothing about changes after it began. */
export type IndexFeed = Readonly<{
  /** The logical time at which an observation begins. */
  now(): number;
  listed(vms: readonly Vm[], begun: number): void;
  observed(uuid: string, vm: Vm | undefined, begun: number): void;
  /** The VM may have changed. */
  touched(uuid: string): void;
  /** Begins a watch of the connection; takes its hints and its end. */
  watching(): Readonly<{ hinted(hint: Hint): void; ended(): void }>;
}>;

/** A golden image may have thousands of clones, and findings list them by name. */
const NAMED_MAX = 20;
/** Above this number of VMs to observe again, one list costs less. */
const DIRTY_MAX = 32;
/** A VM that does not answer within this time counts as it was last seen. */
const VERIFY_LIMIT_MS = 2_000;

type Entry = { readonly vm: Vm; readonly begun: number; standing?: Promise<Standing> };
type Standing = Readonly<{ uuid: string; name: string; on: boolean; uses: Images; has: Images; below: Images }>;
type Images = ReadonlySet<ImageIdentity>;
type Users = Record<keyof ImageUsers, Standing[]>;
type ByImage = ReadonlyMap<ImageIdentity, Users>;

export function createImageIndex(): ImageIndex & IndexFeed {
  let clock = 0;
  let watchers = 0;
  /** Observations that began before this time do not count. */
  let staleSince = 0;
  let listedAt = -1;
  const entries = new Map<string, Entry>();
  const dirty = new Map<string, number>();
  let known: Promise<ByImage> | undefined;

  const isLive = () => watchers > 0 && listedAt >= staleSince;
  const put = (uuid: string, vm: Vm | undefined, begun: number) => {
    if ((entries.get(uuid)?.begun ?? -1) > begun) return;
    if ((dirty.get(uuid) ?? 0) <= begun) dirty.delete(uuid);
    if (vm) entries.set(uuid, { vm, begun });
    else entries.delete(uuid);
    known = undefined;
  };
  const touched = (uuid: string) => void dirty.set(uuid, ++clock);
  const forgetAll = () => {
    staleSince = ++clock;
  };

  async function look(source: IndexSource, uuid: string, signal: AbortSignal | undefined): Promise<void> {
    const begun = clock;
    try {
      put(uuid, await withDeadline(VERIFY_LIMIT_MS, (ends) => source.observe(uuid, ends), signal), begun);
    } catch {
      signal?.throwIfAborted();
    }
  }

  /** Keeps a result for the next call, but no failure. */
  async function standingIn(source: IndexSource, entry: Entry): Promise<Standing> {
    entry.standing ??= standingOf(source, entry.vm);
    try {
      return await entry.standing;
    } catch (error) {
      delete entry.standing;
      throw error;
    }
  }

  async function byImage(source: IndexSource): Promise<ByImage> {
    known ??= Promise.all([...entries.values()].map((entry) => standingIn(source, entry))).then(keyed);
    try {
      return await known;
    } catch (error) {
      known = undefined;
      throw error;
    }
  }

  return {
    now: () => clock,
    touched,
    observed: put,
    listed(vms, begun) {
      const there = new Set(vms.map(({ uuid }) => uuid));
      for (const vm of vms) put(vm.uuid, vm, begun);
      for (const uuid of [...entries.keys(), ...dirty.keys()]) if (!there.has(uuid)) put(uuid, undefined, begun);
      listedAt = Math.max(listedAt, begun);
    },
    watching() {
      let listening = false;
      return {
        hinted({ uuid }) {
          if (uuid !== undefined) return touched(uuid);
          forgetAll();
          if (!listening) watchers += 1;
          listening = true;
        },
        ended() {
          if (listening) watchers -= 1;
          listening = false;
          forgetAll();
        },
      };
    },

    async usersOf(source, images, { except, indexed = false, signal }) {
      const others = [...dirty.keys()].filter((uuid) => uuid !== except);
      if (!indexed || !isLive() || others.length > DIRTY_MAX) {
        const vms = await source.list(signal);
        return usersIn(keyed(await Promise.all(vms.map((vm) => standingOf(source, vm)))), images, except);
      }
      await Promise.all(others.map((uuid) => look(source, uuid, signal)));
      const named = namedIn(await byImage(source), images, except).filter((uuid) => !others.includes(uuid));
      await Promise.all(named.map((uuid) => look(source, uuid, signal)));
      return usersIn(await byImage(source), images, except);
    },
  };
}

async function standingOf({ images }: IndexSource, { uuid, name, power, live, next }: Vm): Promise<Standing> {
  const refsIn = ({ disks }: VmDefinition) =>
    disks.flatMap(({ path }) => (path === undefined ? [] : [images.ref(path)]));
  const chainOf = (ref: ReturnType<typeof images.ref>) =>
    images.chain(ref).then(
      (links) => links.map(({ identity }) => identity),
      async () => [await images.identify(ref)],
    );
  const chains = async (refs: ReturnType<typeof refsIn>) => Promise.all(refs.map(chainOf));
  const [ofLive, ofNext] = [live ? refsIn(live) : undefined, refsIn(next)];
  const [used, others] = await Promise.all([chains(ofLive ?? ofNext), chains(ofLive ? ofNext : [])]);
  const own = (all: readonly (readonly ImageIdentity[])[]) => all.flatMap((chain) => chain.slice(0, 1));
  return {
    uuid,
    name,
    on: power !== "off",
    uses: new Set(own(used)),
    has: new Set(own([...used, ...others])),
    below: new Set([...used, ...others].flatMap((chain) => chain.slice(1))),
  };
}

function keyed(standings: readonly Standing[]): ByImage {
  const all = new Map<ImageIdentity, Users>();
  const at = (image: ImageIdentity): Users => {
    const users = all.get(image) ?? { inUseBy: [], clones: [], owners: [] };
    all.set(image, users);
    return users;
  };
  for (const standing of [...standings].sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (standing.on) for (const image of standing.uses) at(image).inUseBy.push(standing);
    for (const image of standing.below) at(image).clones.push(standing);
    for (const image of standing.has) at(image).owners.push(standing);
  }
  return all;
}

/** UUIDs of the VMs that findings would name. */
function namedIn(all: ByImage, images: readonly ImageIdentity[], except: string): string[] {
  const users = images.flatMap((image) => {
    const { inUseBy = [], clones = [] } = all.get(image) ?? {};
    return [...inUseBy.slice(0, NAMED_MAX), ...clones.slice(0, NAMED_MAX)];
  });
  return [...new Set(users.map(({ uuid }) => uuid))].filter((uuid) => uuid !== except);
}

function usersIn(all: ByImage, images: readonly ImageIdentity[], except: string): Record<ImageIdentity, ImageUsers> {
  const namesOf = (standings: readonly Standing[] = []) =>
    standings.filter(({ uuid }) => uuid !== except).map(({ name }) => name);
  return Object.fromEntries(
    images.map((image): [ImageIdentity, ImageUsers] => {
      const users = all.get(image);
      const inUseBy = namesOf(users?.inUseBy).slice(0, NAMED_MAX);
      return [image, { inUseBy, clones: someOf(namesOf(users?.clones)), owners: someOf(namesOf(users?.owners)) }];
    }),
  );
}

const someOf = (names: readonly string[]) =>
  names.length > NAMED_MAX ? [...names.slice(0, NAMED_MAX), `${names.length - NAMED_MAX} more`] : names;
