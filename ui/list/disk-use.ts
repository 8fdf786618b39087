/** What the disks of the VMs that are seen take on their host. Asked for row by row once somebody looks there, since it
 * takes a look into each image. */
import { type Signal, signal } from "@preact/signals";
import { type CallTool, Refused } from "../api/tool.ts";

export type DiskUse = Readonly<{
  /** Bytes by UUID. */
  used: Signal<ReadonlyMap<string, number>>;
  /** These are the VMs that are seen now. */
  look: (uuids: readonly string[]) => void;
  /** What was known of this VM's disk may be wrong by now. */
  forget: (uuid: string) => void;
}>;

const AT_ONCE = 3;

export function diskUseOf(call: CallTool): DiskUse {
  const used = signal<ReadonlyMap<string, number>>(new Map());
  const known = new Set<string>();
  let wanted: readonly string[] = [];
  let running = 0;

  async function next(): Promise<void> {
    const uuid = wanted.find((one) => !known.has(one));
    if (uuid === undefined || running >= AT_ONCE) return;
    known.add(uuid);
    running += 1;
    try {
      const { actual_size_bytes: bytes } = await call("get_disk_info", { vm: uuid });
      if (bytes !== undefined) used.value = new Map(used.value).set(uuid, bytes);
    } catch (error) {
      // Of a VM whose disk cannot be looked at the list says nothing; its own page does.
      if (!(error instanceof Refused)) throw error;
    } finally {
      running -= 1;
      void next();
    }
  }

  return {
    used,
    look(uuids) {
      wanted = uuids;
      for (let begun = running; begun < AT_ONCE; begun += 1) void next();
    },
    forget: (uuid) => void known.delete(uuid),
  };
}
