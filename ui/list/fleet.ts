/** Every VM, kept up to date by what the server tells. */
import { type Signal, signal } from "@preact/signals";
import { listen, type StreamEvent } from "../api/stream.ts";
import { type CallTool, type ListedVm, type Refusal, Refused } from "../api/tool.ts";

export type Fleet = Readonly<{
  /** By UUID, in the order of the list; undefined until it is there. */
  vms: Signal<ReadonlyMap<string, ListedVm> | undefined>;
  unreachable: Signal<readonly Readonly<{ connection: string; reason: string }>[]>;
  refusal: Signal<Refusal | undefined>;
  connected: Signal<boolean>;
  /** Looks at everything again. */
  reload: () => Promise<void>;
  /** Tells whenever something may have happened to this VM; returns what ends that. */
  watch: (uuid: string, changed: () => void) => () => void;
}>;

/** More VMs than this at once are looked at with one call. */
const ONE_BY_ONE_MAX = 8;
/** What happens in quick succession is looked at once. */
const GATHER_MS = 120;

export function fleetOf(call: CallTool, place: number | undefined): Fleet {
  const vms = signal<ReadonlyMap<string, ListedVm> | undefined>(undefined);
  const unreachable = signal<Fleet["unreachable"]["value"]>([]);
  const refusal = signal<Refusal | undefined>(undefined);
  const connected = signal(true);
  const watchers = new Set<{ uuid: string; changed: () => void }>();

  async function reload(): Promise<void> {
    try {
      const list = await call("list_vms", { limit: 5000 });
      vms.value = new Map(list.vms.map((vm) => [vm.uuid, vm]));
      unreachable.value = list.unreachable;
      refusal.value = undefined;
    } catch (error) {
      if (error instanceof Refused) refusal.value = error.refusal;
      else throw error;
    }
  }

  async function look(uuid: string): Promise<void> {
    try {
      const vm = await call("get_vm", { vm: uuid });
      vms.value = new Map(vms.value).set(uuid, vm);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      if (error.refusal.code === "VM_NOT_FOUND") {
        const left = new Map(vms.value);
        left.delete(uuid);
        vms.value = left;
      }
    }
  }

  const waiting = new Set<string>();
  async function lookAtWaiting(): Promise<void> {
    const uuids = [...waiting];
    waiting.clear();
    for (const { uuid, changed } of watchers) if (uuids.includes(uuid)) changed();
    if (uuids.length > ONE_BY_ONE_MAX) await reload();
    else await Promise.all(uuids.map(look));
  }
  const happened = ({ subject }: StreamEvent) => {
    if (waiting.size === 0) setTimeout(() => void lookAtWaiting(), GATHER_MS);
    waiting.add(subject);
  };

  listen(place, {
    happened,
    lost() {
      void reload();
      for (const { changed } of watchers) changed();
    },
    connected(is) {
      connected.value = is;
    },
    loggedOut: () => location.replace("/login"),
  });
  void reload();

  return {
    vms,
    unreachable,
    refusal,
    connected,
    reload,
    watch(uuid, changed) {
      const watcher = { uuid, changed };
      watchers.add(watcher);
      return () => void watchers.delete(watcher);
    },
  };
}
