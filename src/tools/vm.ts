/** Lists VMs, and reads one. */
import { z } from "zod";
import type { State } from "../domain/model/state.ts";
import { VmRef } from "../domain/model/vm.ts";
import { backendFor, withReadTimeout } from "./find-vm.ts";
import { readVmOrRecord, StaleView, viewStale } from "./read-vm.ts";
import { defineTool, type ToolContext } from "./tool.ts";
import { type Freshness, SuggestionView, VmView, viewSuggestion, viewVm } from "./view.ts";

const { stale, stale_since } = StaleView;

const listVms = defineTool({
  name: "list_vms",
  title: "List VMs",
  description:
    "List VMs, managed and not, with installation status, boot order, media and findings. Findings about image contents are only in get_vm and check_boot. If a connection does not answer, its managed VMs are listed from the record, with stale: true.",
  effect: "read",
  scans: true,
  needs: [],
  http: { method: "GET", path: "/vms" },
  input: z.object({
    connection: z.string().max(64).optional(),
    managed: z.boolean().optional().describe("true: only managed VMs; false: only others"),
    limit: z.number().int().min(1).max(5000).default(1000),
    offset: z.number().int().min(0).max(1_000_000).default(0).describe("How many to skip, for the next page"),
  }),
  output: z.object({
    vms: z.array(VmView.extend({ stale, stale_since })),
    total: z.number(),
    unreachable: z.array(z.object({ connection: z.string(), reason: z.string() })),
  }),
  async run({ connection, managed, limit, offset }, context) {
    const names =
      connection === undefined ? context.connections.names : [(await backendFor(context, connection)).connection];
    const lists = await Promise.all(names.map((name) => listConnection(context, name)));
    const wanted = lists
      .flatMap(({ vms }) => vms)
      .filter(({ state }) => managed === undefined || (state.record !== undefined) === managed);
    return {
      vms: wanted.slice(offset, offset + limit).map(({ state, freshness }) => ({
        ...viewVm(state, freshness),
        ...(freshness === "stale" && { stale: true, stale_since: state.record!.updatedAt }),
      })),
      total: wanted.length,
      unreachable: lists.flatMap(({ unreachable }) => unreachable),
    };
  },
});

type Listed = Readonly<{ state: State; freshness: Freshness }>;

/** The VMs of a connection, or those on record if it does not answer. */
async function listConnection(context: ToolContext, connection: string) {
  const store = await context.store();
  const records = await store.records(connection);
  const stateOf = (uuid: string): State => ({ target: { connection, uuid }, disks: {}, isos: {} });
  try {
    const backend = await context.connections.backend(connection);
    const found = await withReadTimeout(context, (signal) => backend.list(signal));
    const recordOf = new Map(records.map((record) => [record.uuid, record]));
    const there = new Set(found.map(({ uuid }) => uuid));
    const vms = found.map((vm): Listed => {
      const record = recordOf.get(vm.uuid);
      return { state: { ...stateOf(vm.uuid), vm, ...(record && { record }) }, freshness: "seen" };
    });
    const gone = records.filter(({ uuid }) => !there.has(uuid));
    const missing = gone.map((record): Listed => ({ state: { ...stateOf(record.uuid), record }, freshness: "seen" }));
    return { vms: [...vms, ...missing], unreachable: [] };
  } catch (error) {
    context.call.signal.throwIfAborted();
    const reason = error instanceof Error ? error.message : String(error);
    const vms = records.map((record): Listed => ({ state: { ...stateOf(record.uuid), record }, freshness: "stale" }));
    return { vms, unreachable: [{ connection, reason }] };
  }
}

const getVm = defineTool({
  name: "get_vm",
  title: "Get VM",
  description:
    "Get one VM: installation status, boot order, the device that it booted from, disk, medium, pending changes, and every finding with the calls that mend it. If the connection does not answer, the answer is from the record, with stale: true.",
  effect: "read",
  needs: [],
  http: { method: "GET", path: "/vms/{vm}" },
  input: z.object({ vm: VmRef }),
  output: VmView.extend({ suggestion: SuggestionView, ...StaleView }),
  async run({ vm }, context) {
    const { state, stale } = await readVmOrRecord(context, vm, { usage: "indexed" });
    return { ...viewVm(state, stale ? "stale" : "seen"), ...viewSuggestion(state.record), ...viewStale(stale) };
  },
});

export const vmTools = [listVms, getVm];
