/** What hostile calls are about: VMs, operations, tokens and media that the server knows, kept up while calls delete them. */
import type { BootwrightClient } from "../support/client.ts";
import type { Answer } from "./hostile-run.ts";
import type { HostileCall, Known } from "./hostile-values.ts";

const VMS_MIN = 5;
/** Older ones stay known as well: what is gone is asked for too, but not most of the time. */
const REMEMBERED_MAX = 40;

export type Pools = Readonly<{
  known: Known;
  /** Lists the VMs, and makes some where few are left. */
  refresh: () => Promise<void>;
  onAnswer: (call: HostileCall, answer: Answer) => void;
}>;

export function openPools(
  server: BootwrightClient,
  { isos, name, create }: { isos: readonly string[]; name: (word: string) => string; create: Record<string, unknown> },
): Pools {
  const operations: string[] = [];
  const tokens: string[] = [];
  let vms: { name: string; uuid: string }[] = [];
  let made = 0;
  const remember = (list: string[], one: string | undefined) => {
    if (one !== undefined && !list.includes(one)) list.push(one);
    if (list.length > REMEMBERED_MAX) list.shift();
  };
  const references = () => vms.flatMap((vm) => [vm.name, vm.uuid, `local/${vm.name}`, vm.uuid.toUpperCase()]);
  return {
    known: {
      vm: references,
      name: () => [...vms.map((vm) => vm.name), name(`new-${++made}`), name("constructor")],
      iso_path: () => isos,
      operation: () => operations,
      before: () => operations,
      confirm: () => tokens,
      connection: () => ["local"],
      disk: () => ["vda", "sda"],
      drive: () => ["sda", "sdb"],
      search: () => ["iso", "INSTALLER"],
    },
    async refresh() {
      const listed = async () => (await server.call("list_vms")).vms.slice(0, 12);
      for (let missing = VMS_MIN - (await listed()).length; missing > 0; missing--) {
        const iso = missing % 2 && { iso_path: isos[0] };
        await server.call("create_vm", { name: name(`vm-${++made}`), ...iso, ...create });
      }
      vms = await listed();
    },
    onAnswer(_call, { structuredContent, _meta }) {
      const { operation } = (structuredContent ?? {}) as { operation?: string };
      remember(operations, operation);
      const refusal = _meta?.["dev.bootwright/error"] as { details?: { confirm?: string } } | undefined;
      remember(tokens, refusal?.details?.confirm);
    },
  };
}

/** Keeps a call from waiting for a guest that never shuts down. A wrong call stays wrong. */
export function quick(call: HostileCall): HostileCall {
  const { timeout_seconds: limit } = (call.args ?? {}) as { timeout_seconds?: unknown };
  const waits = ["stop_vm", "restart_vm", "set_boot_order"].includes(call.tool);
  if (!waits || !(limit === undefined || (typeof limit === "number" && limit >= 1 && limit <= 3600))) return call;
  return { ...call, args: { ...(call.args as object), timeout_seconds: 1 } };
}
