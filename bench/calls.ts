// What one call of a tool costs the libvirt daemon and the disk, as counts: they are the same on every machine, however
// busy it is. In this process, with the connection watched as a server watches it, and nothing else going on beside it.
import { mkdir, open } from "node:fs/promises";
import { join } from "node:path";
import { DOMAIN_XML, openLibvirt } from "../plugins/libvirt/client/libvirt.ts";
import libvirtPlugin from "../plugins/libvirt/index.ts";
import { bindBackend } from "../src/plugin-host/backends.ts";
import { openSqliteStore } from "../src/store/sqlite/store.ts";
import { callTool } from "../src/tools/call.ts";
import { allTools } from "../src/tools/catalogue.ts";
import { canBeSystem, startDaemon } from "../test/plugins/libvirt/client/private-daemon.ts";
import { callOf } from "../test/support/call.ts";
import { withJobs } from "../test/support/jobs.ts";
import { openProxy } from "../test/support/libvirt-proxy.ts";
import { pluginContext } from "../test/support/world.ts";
import { commitsIn } from "./bare-commits.ts";
import { printTable } from "./measure.ts";

export type Cost = Readonly<{ calls: number; commits: number }>;

const VM = "bw-calls";
const args = {
  get_vm: [{}],
  check_boot: [{}],
  // There and back again.
  set_boot_order: [{ boot_order: "hd" }, { boot_order: "cdrom_hd" }],
} as const;
export type Counted = keyof typeof args;
export const countedTools = Object.keys(args) as Counted[];

/** More than this is a step back, with however many VMs. */
export const costsMax: Readonly<Record<Counted, Cost>> = {
  get_vm: { calls: 6, commits: 0 },
  check_boot: { calls: 6, commits: 0 },
  set_boot_order: { calls: 16, commits: 3 },
};

export type Counter = Readonly<{
  /** Defines copies of one VM, each with an image of its own, until there are this many. */
  fill(many: number): Promise<void>;
  /** The most that one call of the tool costs. */
  costOf(tool: Counted): Promise<Cost>;
  close(): Promise<void>;
}>;

export async function openCounter(
  daemon: Readonly<{ socketPath: string; qemuUri: string }>,
  directory: string,
): Promise<Counter> {
  const images = join(directory, "images");
  const data = join(directory, "counted");
  await mkdir(images, { recursive: true, mode: 0o755 });
  let calls = 0;
  const socket = join(directory, "counting");
  const proxy = await openProxy(
    socket,
    async () => {
      calls += 1;
    },
    daemon.socketPath,
  );
  const direct = openLibvirt({ uri: `${daemon.qemuUri}?socket=${daemon.socketPath}` });
  const ending = new AbortController();
  const config = { uri: `${daemon.qemuUri}?socket=${socket}`, images };
  const session = await libvirtPlugin.open(config, pluginContext("local", { signal: ending.signal }));
  const backend = bindBackend(libvirtPlugin, session, "local");
  const newId = () => crypto.randomUUID();
  const store = await openSqliteStore({ directory: data, imageDirectory: images, connection: "local", newId });
  const context = withJobs({
    connections: { names: ["local"], capabilities: () => backend.capabilities, backend: async () => backend },
    plugins: { list: async () => [] },
    store: async () => store,
    call: callOf("bench", ending.signal),
    newId,
    now: () => new Date(),
    claimWaitMs: 10_000,
  });
  const call = (tool: string, more: object = {}) => callTool(allTools, tool, more, context);
  await call("create_vm", {
    ...{ name: VM, disk_size_gb: 1, memory_mb: 64, cpus: 1 },
    ...{ network: "none", acceleration: "tcg", boot_order: "cdrom_hd" },
  });
  const { promise: listening, resolve: heard } = Promise.withResolvers<void>();
  const watching = backend.events!.watch(() => heard(), ending.signal).catch(() => undefined);
  await Promise.race([listening, watching]);

  return {
    async fill(many) {
      const first = await direct.domainLookupByName(VM);
      const xml = await direct.domainGetXmlDesc(first, DOMAIN_XML.inactive | DOMAIN_XML.secure);
      for (let index = (await direct.connectListAllDomains()).length; index < many; index++) {
        const uuid = `00000000-0000-4000-8000-${String(index).padStart(12, "0")}`;
        await (await open(join(images, `${uuid}.qcow2`), "w")).close();
        const copy = xml
          .replaceAll(first.uuid, uuid)
          .replace(`<name>${VM}<`, `<name>${VM}-${String(index).padStart(4, "0")}<`)
          .replace(/<mac address=.*?\/>/g, "");
        await direct.domainDefineXmlFlags(copy);
      }
      // As whoever watches does, now and then; by its answer every event of the definitions has come.
      await backend.list();
      await call("get_vm", { vm: VM });
      await backend.list();
    },
    async costOf(tool) {
      const costs: Cost[] = [];
      for (const more of args[tool]) {
        const [callsBefore, commitsBefore] = [calls, commitsIn(join(data, "bootwright.sqlite")).length];
        await call(tool, { vm: VM, ...more });
        const commits = commitsIn(join(data, "bootwright.sqlite")).length - commitsBefore;
        costs.push({ calls: calls - callsBefore, commits });
      }
      const most = (of: keyof Cost) => Math.max(...costs.map((cost) => cost[of]));
      return { calls: most("calls"), commits: most("commits") };
    },
    async close() {
      await libvirtPlugin.close(session);
      ending.abort();
      await watching;
      await store.close();
      await direct.close();
      await proxy.close();
    },
  };
}

/** Prints what each tool costs with one VM and with a thousand, and fails the run where one costs more than it may. */
export async function printCosts(directory: string): Promise<void> {
  const daemon = await startDaemon({ system: canBeSystem });
  const counter = await openCounter(daemon, directory);
  const rows = [["one call of", "VMs", "calls to the daemon", "at most", "durable commits", "at most"]];
  try {
    for (const many of [1, 1000]) {
      await counter.fill(many);
      for (const tool of countedTools) {
        const [cost, most] = [await counter.costOf(tool), costsMax[tool]];
        rows.push([tool, ...[many, cost.calls, most.calls, cost.commits, most.commits].map(String)]);
        if (cost.calls > most.calls || cost.commits > most.commits) process.exitCode = 1;
      }
    }
    printTable(rows);
  } finally {
    await counter.close();
    await daemon.stop();
  }
}
