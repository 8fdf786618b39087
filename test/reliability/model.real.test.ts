/** Goal: on a real libvirt, too, the tools do and say what the model does. Method: as in model.test.ts, by two MCP clients
 * on server processes of their own, with virsh as the other program. VMs are started and cut off, and nothing is
 * installed in them. */
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { makeDisk } from "../fixtures/boot-images.ts";
import { type BootwrightClient, openClient, Refused } from "../support/client.ts";
import { figure, scaled } from "../support/scale.ts";
import { openTestbed, SYSTEM, type Testbed, type ToolName } from "../support/vm.ts";
import type { Order } from "./model.ts";
import { commandsOf } from "./model-commands.ts";
import { begin, type Coded, looks, names, type Real } from "./model-run.ts";

const CLIENTS = 2;
const SEQUENCES = scaled(30, 2);
const LENGTH = scaled(25, 12);
const { isos } = inject("guests");
let testbed: Testbed;
let clients: BootwrightClient[] = [];
let calls = 0;

beforeAll(async () => {
  testbed = await openTestbed({ isos: [isos.both, isos.data] });
  const settings = [
    ...["--data", join(testbed.directory, "data"), "--images", join(testbed.directory, "images")],
    ...["--iso-dir", join(testbed.directory, "isos"), "--connection", `local=libvirt,uri=${SYSTEM}`],
  ];
  const env = { XDG_CACHE_HOME: join(testbed.directory, "cache") };
  // Clients that cannot ask their user get a token to confirm with.
  clients = await Promise.all(Array.from({ length: CLIENTS }, () => openClient({ settings, env })));
});
afterAll(async () => {
  await Promise.all(clients.map((client) => client.close()));
  await testbed?.close();
});

const classesOf: Record<Order, readonly string[]> = {
  cdrom_hd: ["cdrom", "hd"],
  hd: ["hd"],
  cdrom: ["cdrom"],
  hd_cdrom: ["hd", "cdrom"],
};
const bootXml = (order: Order) => classesOf[order].map((device) => `<boot dev='${device}'/>`).join("");

const foreign = (name: string, disk: string) => `<domain type='qemu'><name>${name}</name>
  <memory unit='MiB'>64</memory><vcpu>1</vcpu>
  <os><type arch='x86_64' machine='q35'>hvm</type>${bootXml("hd")}</os><features><acpi/></features>
  <devices>
    <disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='${disk}'/><target dev='vda' bus='virtio'/></disk>
    <disk type='file' device='cdrom'><driver name='qemu' type='raw'/><target dev='sda' bus='sata'/><readonly/></disk>
  </devices></domain>`;

const realOf = (sequence: number): Real => ({
  clients: CLIENTS,
  isos: { boots: testbed.iso(isos.both), data: testbed.iso(isos.data) },
  obeys: false,
  making: { memory_mb: 64, cpus: 1, network: "none", acceleration: "tcg" },
  named: (name) => testbed.name(`${sequence}-${name}`),
  async call(client, tool, args) {
    if (!looks(tool)) calls++;
    try {
      return (await clients[client]!.call(tool as ToolName, args)) as Record<string, unknown>;
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      const { code, details } = error.refusal;
      const { confirm } = details as { confirm?: string };
      throw { code, ...(confirm !== undefined && { confirm }) } satisfies Coded;
    }
  },
  outside: {
    async define(name) {
      const path = join(testbed.directory, "images", `${name}-${crypto.randomUUID()}.qcow2`);
      await makeDisk(path, { format: "qcow2", sizeBytes: 1024 ** 3 });
      await testbed.define(foreign(name, path));
    },
    undefine: async (name) => void (await testbed.virsh("undefine", name)),
    async setOrder(name, order) {
      const xml = (await testbed.xml(name)).replace(/\s*<boot dev=[^>]*\/>/g, "");
      await testbed.define(xml.replace("</os>", `${bootXml(order)}</os>`));
    },
  },
});

test("the tools do and say on libvirt what the model does, whatever is called by whom", {
  timeout: 3_600_000,
}, async () => {
  let sequence = 0;
  const property = fc.asyncProperty(commandsOf({ clients: CLIENTS, obeys: false }, LENGTH), async (commands) => {
    const real = realOf(++sequence);
    try {
      await fc.asyncModelRun(() => begin(real), commands);
      const open = await clients[0]!.call("list_operations", { status: ["begun", "unknown"] });
      expect(open.operations).toEqual([]);
    } finally {
      for (const name of names) await remove(real.named(name));
    }
  });
  // A shorter sequence is not looked for: each one takes seconds.
  await fc.assert(property, { numRuns: SEQUENCES, endOnFailure: true });
  figure("random sequences of calls on libvirt", SEQUENCES);
  figure("changes asked for in them", calls);
});

async function remove(name: string): Promise<void> {
  const there = (await testbed.virsh("list", "--all", "--name")).split("\n");
  if (!there.includes(name)) return;
  if ((await testbed.virsh("domstate", name)) !== "shut off") await testbed.virsh("destroy", name);
  await testbed.virsh("undefine", name);
}
