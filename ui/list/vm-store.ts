/** Every VM, kept up to date by what the server tells. */
import { type Signal, signal } from "@preact/signals";
import { listen, type StreamEvent } from "../api/stream.ts";
import { type CallTool, type ListedVm, type Refusal, Refused } from "../api/tool.ts";
import { type DiskUse, diskUseOf } from "./disk-use.ts";

export type Fleet = Readonly<{
  /** By UUID, in the order of the list; undefined until it is there. */
  vms: Signal<ReadonlyMap<string, ListedVm> | undefined>;
  unreachable: Signal<readonly Readonly<{ connection: string; reason: string }>[]>;
  refusal: Signal<Refusal | undefined>;
  connected: Signal<boolean>;
  diskUse: DiskUse;
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
  const diskUse = diskUseOf(call);
  const watchers = new Set<{ uuid: string; changed: () => void }>();

  let asked = 0;
  /** The question, by its number, whose answer about all of them is shown; and of those asked about since, by UUID. */
  let ofAll = 0;
  let ofOne = new Map<string, number>();
  /** Answers may arrive in another order than they were asked for, and the one to the later question counts. */
  const isNewer = (question: number, uuid: string) => question > Math.max(ofAll, ofOne.get(uuid) ?? 0);

  async function reload(): Promise<void> {
    asked += 1;
    const question = asked;
    try {
      const list = await call("list_vms", { limit: 5000 });
      if (question < ofAll) return;
      const shown = new Map(list.vms.map((vm) => [vm.uuid, vm]));
      ofOne = new Map([...ofOne].filter(([, later]) => later > question));
      for (const uuid of ofOne.keys()) {
        const known = vms.value?.get(uuid);
        if (known) shown.set(uuid, known);
        else shown.delete(uuid);
      }
      ofAll = question;
      vms.value = shown;
      unreachable.value = list.unreachable;
      refusal.value = undefined;
    } catch (error) {
      if (error instanceof Refused) refusal.value = error.refusal;
      else throw error;
    }
  }

  async function look(uuid: string): Promise<void> {
    asked += 1;
    const question = asked;
    try {
      const vm = await call("get_vm", { vm: uuid });
      if (!isNewer(question, uuid)) return;
      ofOne.set(uuid, question);
      vms.value = new Map(vms.value).set(uuid, vm);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      if (error.refusal.code === "VM_NOT_FOUND" && isNewer(question, uuid)) {
        ofOne.set(uuid, question);
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
    for (const uuid of uuids) diskUse.forget(uuid);
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
    diskUse,
    reload,
    watch(uuid, changed) {
      const watcher = { uuid, changed };
      watchers.add(watcher);
      return () => void watchers.delete(watcher);
    },
  };
}
