/** What another program does to a VM on libvirt reaches clients of both generations, whichever server of several on one
 * database watches libvirt. How long after libvirt's own event is told beside `virsh event`, a client that does nothing
 * else. */
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, expect, it, onTestFinished, vi } from "vitest";
import { openTestbed, SYSTEM, type Testbed, type TestbedVm } from "../../support/vm.ts";
import { type Caller, generations } from "../callers.ts";

const ROUNDS = 8;
const WAIT = { timeout: 60_000, interval: 2 };

let testbed: Testbed;
let vm: TestbedVm;
beforeAll(async () => {
  testbed = await openTestbed();
  vm = await testbed.installed("watched");
});
afterAll(() => testbed.close());

const callers = ["2026-07-28", "2025-11-25, second SDK", "2025-06-18, first SDK"] as const;
const open = async (generation: (typeof callers)[number]): Promise<Caller> => {
  const { directory } = testbed;
  const settings = ["--data", join(directory, "data"), "--images", join(directory, "images"), "--iso-dir", directory];
  const caller = await generations[generation]({
    settings: [...settings, "--connection", `local=libvirt,uri=${SYSTEM}`],
  });
  onTestFinished(() => caller.close());
  return caller;
};

/** The times of libvirt's events of this VM, as another client gets them, and how many other VMs had: other tests run
 * beside this one, and what they define or remove changes the list. */
function bareEvents(name: string): { at: number[]; others: () => number; process: ChildProcess } {
  const at: number[] = [];
  let others = 0;
  const child = spawn("virsh", ["-c", SYSTEM, "event", "--event", "lifecycle", "--loop", "--timestamp"], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, LC_ALL: "C" },
  });
  createInterface({ input: child.stdout! }).on("line", (line) => {
    const [, day, time] = /^(\S+) (\S+?)\+0000: event 'lifecycle' for domain/.exec(line) ?? [];
    if (day === undefined) return;
    if (line.includes(name)) at.push(Date.parse(`${day}T${time}Z`));
    else others += 1;
  });
  onTestFinished(() => void child.kill());
  return { at, others: () => others, process: child };
}

const shown = (latencies: readonly number[]) => {
  const sorted = latencies.toSorted((a, b) => a - b);
  const at = (part: number) => sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))]!.toFixed(1);
  return `median ${at(0.5)} ms, 90 % ${at(0.9)} ms, most ${at(1)} ms of ${sorted.length}`;
};

it("a start and a stop by another program reach whoever subscribed to the VM, and no change of the list", async () => {
  const bare = bareEvents(vm.name);
  const clients = await Promise.all(callers.map(open));
  for (const { reads } of clients) onTestFinished(await reads.hear(`vm://${vm.uuid}`));
  const latencies = new Map<string, number[]>(callers.map((name) => [name, []]));
  // A server watches once it has lived for a moment; the first thing that is told shows that one does.
  await testbed.virsh("start", vm.name);
  for (const { reads } of clients) await expect.poll(() => reads.heard.updated, WAIT).not.toEqual([]);
  const lists = clients.map(({ reads }) => reads.heard.lists());
  for (let round = 0; round < ROUNDS; round++) {
    const before = clients.map(({ reads }) => reads.heard.updated.length);
    const count = bare.at.length;
    await testbed.virsh(...(round % 2 === 0 ? (["destroy", vm.name] as const) : (["start", vm.name] as const)));
    await Promise.all(
      clients.map(({ reads }, one) =>
        vi.waitFor(() => expect(reads.heard.updated.length).toBeGreaterThan(before[one]!), WAIT),
      ),
    );
    await expect.poll(() => bare.at.length, WAIT).toBeGreaterThan(count);
    clients.forEach(({ reads }, one) => {
      const heard = performance.timeOrigin + reads.heard.at.get(`vm://${vm.uuid}`)!;
      latencies.get(callers[one]!)!.push(heard - bare.at.at(-1)!);
    });
    // What was heard is what is read.
    const power = round % 2 === 0 ? "off" : "running";
    for (const { reads } of clients) expect(await reads.read(`vm://${vm.uuid}`)).toMatchObject({ power });
  }
  for (const [name, measured] of latencies) console.log(`figure: ${name}, after libvirt's event: ${shown(measured)}`);
  for (const { reads } of clients) expect(new Set(reads.heard.updated)).toEqual(new Set([`vm://${vm.uuid}`]));
  const changes = clients.map(({ reads }, one) => reads.heard.lists() - lists[one]!);
  for (const count of changes) expect(count).toBeLessThanOrEqual(bare.others());
}, 300_000);

it("a VM that another program defines and removes changes the list", async () => {
  const client = await open("2026-07-28");
  onTestFinished(await client.reads.hear("bootwright://vms"));
  const name = testbed.name("foreign");
  const memory = "<memory>65536</memory><vcpu>1</vcpu><os><type>hvm</type></os>";
  const listed = async () => (await client.reads.resources()).some((resource) => resource.name === name);
  const changed = async (change: Promise<unknown>) => {
    const before = client.reads.heard.lists();
    await change;
    await expect.poll(() => client.reads.heard.lists(), WAIT).toBeGreaterThan(before);
  };
  await changed(testbed.define(`<domain type="qemu"><name>${name}</name>${memory}</domain>`));
  expect(await listed()).toBe(true);
  await changed(testbed.virsh("undefine", name));
  expect(await listed()).toBe(false);
}, 120_000);
