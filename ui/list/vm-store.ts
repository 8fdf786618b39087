/** Every VM, kept up to date by the event stream. */
import { type Signal, signal } from "@preact/signals";
import type { EventStream, StreamEvent } from "../api/stream.ts";
import { type CallTool, type ListedVm, type Refusal, Refused } from "../api/tool.ts";
import { createDiskUse, type DiskUse } from "./disk-use.ts";

export type VmStore = Readonly<{
  /** By UUID, in the order of the list; undefined until the list has arrived. */
  vms: Signal<ReadonlyMap<string, ListedVm> | undefined>;
  unreachable: Signal<readonly Readonly<{ connection: string; reason: string }>[]>;
  refusal: Signal<Refusal | undefined>;
  diskUse: DiskUse;
  /** Fetches every VM again. */
  reload: () => Promise<void>;
  /** Calls `onChange` whenever this VM may have changed. Returns a function that ends the subscription. */
  subscribe: (uuid: string, onChange: () => void) => () => void;
}>;

/** More VMs than this at once are fetched with one call. */
const ONE_BY_ONE_MAX = 8;
/** Events in quick succession lead to one fetch. */
const BATCH_MS = 120;

export function createVmStore(call: CallTool, stream: EventStream): VmStore {
  const vms = signal<ReadonlyMap<string, ListedVm> | undefined>(undefined);
  const unreachable = signal<VmStore["unreachable"]["value"]>([]);
  const refusal = signal<Refusal | undefined>(undefined);
  const diskUse = createDiskUse(call);
  const subscribers = new Set<{ uuid: string; onChange: () => void }>();

  let requests = 0;
  /** The number of the request whose answer about all VMs is shown, and of later requests about one VM, by UUID. */
  let shownList = 0;
  let shownVms = new Map<string, number>();
  /** Answers may arrive out of order; the one to the later request counts. */
  const isNewer = (request: number, uuid: string) => request > Math.max(shownList, shownVms.get(uuid) ?? 0);

  async function reload(): Promise<void> {
    requests += 1;
    const request = requests;
    try {
      const list = await call("list_vms", { limit: 5000 });
      if (request < shownList) return;
      const merged = new Map(list.vms.map((vm) => [vm.uuid, vm]));
      shownVms = new Map([...shownVms].filter(([, later]) => later > request));
      for (const uuid of shownVms.keys()) {
        const known = vms.value?.get(uuid);
        if (known) merged.set(uuid, known);
        else merged.delete(uuid);
      }
      shownList = request;
      vms.value = merged;
      unreachable.value = list.unreachable;
      refusal.value = undefined;
    } catch (error) {
      if (error instanceof Refused) refusal.value = error.refusal;
      else throw error;
    }
  }

  async function fetchVm(uuid: string): Promise<void> {
    requests += 1;
    const request = requests;
    try {
      const vm = await call("get_vm", { vm: uuid });
      if (!isNewer(request, uuid)) return;
      shownVms.set(uuid, request);
      vms.value = new Map(vms.value).set(uuid, vm);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      if (error.refusal.code === "VM_NOT_FOUND" && isNewer(request, uuid)) {
        shownVms.set(uuid, request);
        const remaining = new Map(vms.value);
        remaining.delete(uuid);
        vms.value = remaining;
      }
    }
  }

  const changed = new Set<string>();
  async function fetchChanged(): Promise<void> {
    const uuids = [...changed];
    changed.clear();
    for (const uuid of uuids) diskUse.invalidate(uuid);
    for (const { uuid, onChange } of subscribers) if (uuids.includes(uuid)) onChange();
    if (uuids.length > ONE_BY_ONE_MAX) await reload();
    else await Promise.all(uuids.map(fetchVm));
  }

  stream.subscribe({
    onEvent({ type, subject }: StreamEvent) {
      // A job's progress changes no VM, and not every job is about one.
      if (type === "job.progressed" || (type.startsWith("job.") && !vms.value?.has(subject))) return;
      if (changed.size === 0) setTimeout(() => void fetchChanged(), BATCH_MS);
      changed.add(subject);
    },
    onGap() {
      void reload();
      for (const { onChange } of subscribers) onChange();
    },
  });
  void reload();

  return {
    vms,
    unreachable,
    refusal,
    diskUse,
    reload,
    subscribe(uuid, onChange) {
      const subscriber = { uuid, onChange };
      subscribers.add(subscriber);
      return () => void subscribers.delete(subscriber);
    },
  };
}
