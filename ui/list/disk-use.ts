/** Disk use on the host of the VMs that are visible. Each costs a look into an image, so it is requested row by row. */
import { type Signal, signal } from "@preact/signals";
import { type CallTool, ignoreRefused } from "../api/tool.ts";

export type DiskUse = Readonly<{
  /** Bytes by UUID. */
  used: Signal<ReadonlyMap<string, number>>;
  /** Names the VMs that are visible now. */
  setVisible: (uuids: readonly string[]) => void;
  /** Drops what is known of this VM's disk. */
  invalidate: (uuid: string) => void;
}>;

const CONCURRENCY = 3;

export function createDiskUse(call: CallTool): DiskUse {
  const used = signal<ReadonlyMap<string, number>>(new Map());
  const requested = new Set<string>();
  let visible: readonly string[] = [];
  let running = 0;

  async function next(): Promise<void> {
    const uuid = visible.find((one) => !requested.has(one));
    if (uuid === undefined || running >= CONCURRENCY) return;
    requested.add(uuid);
    running += 1;
    try {
      const { actual_size_bytes: bytes } = await call("get_disk_info", { vm: uuid });
      if (bytes !== undefined) used.value = new Map(used.value).set(uuid, bytes);
    } catch (error) {
      // The list says nothing of a disk that cannot be read; the VM's own page does.
      ignoreRefused(error);
    } finally {
      running -= 1;
      void next();
    }
  }

  return {
    used,
    setVisible(uuids) {
      visible = uuids;
      for (let begun = running; begun < CONCURRENCY; begun += 1) void next();
    },
    invalidate: (uuid) => void requested.delete(uuid),
  };
}
