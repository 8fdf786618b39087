// What Bootwright costs beside the least that could do the same, in one run on this machine, on a libvirt daemon of its
// own. Prints a table and keeps nothing.
//
//   npm run bench [-- --quick] [-- --only boot|calls|list|http|page|start|events]

import { chmod, mkdir, mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { availableParallelism, loadavg } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { execa } from "execa";
import { DOMAIN_XML, openLibvirt } from "../plugins/libvirt/client/libvirt.ts";
import { canBeSystem, startDaemon } from "../test/plugins/libvirt/client/private-daemon.ts";
import { commitsIn, openBareCommits } from "./bare-commits.ts";
import { printCosts } from "./calls.ts";
import { latencies, throughput, writePlugin } from "./events.ts";
import { type Rate, rates, startServed } from "./http-load.ts";
import { type LineClient, openLines } from "./line-client.ts";
import { inTurns, inWords, printTable, type Times, timed } from "./measure.ts";
import { paints, sizes } from "./page.ts";
import { openReplay, type Recording, record } from "./rpc-record.ts";

const { values: flags } = parseArgs({ options: { quick: { type: "boolean" }, only: { type: "string" } } });
const rounds = (many: number) => (flags.quick ? Math.ceil(many / 5) : many);
const wanted = (part: string) => flags.only === undefined || flags.only === part;

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));
const SERVER = [process.execPath, path("../src/main.ts")];
const directory = await mkdtemp("/var/tmp/bw-bench-");
await chmod(directory, 0o755);
const daemon = await startDaemon({ system: canBeSystem });
const uri = (socket: string) => `${daemon.qemuUri}?socket=${socket}`;
const libvirt = openLibvirt({ uri: uri(daemon.socketPath) });

const rows: string[][] = [["what", "ms, median (80 % of runs)", "beside", "ms", "ratio", "aim"]];
function compare(what: string, own: Times, beside: string, bare: Times | number, aim?: number): void {
  const ratio = own.median / (typeof bare === "number" ? bare : bare.median);
  const met = aim === undefined ? "" : `≤ ${aim}: ${ratio <= aim ? "met" : "missed"}`;
  const ms = typeof bare === "number" ? bare.toFixed(2) : inWords(bare);
  rows.push([what, inWords(own), beside, ms, `${ratio.toFixed(2)} x`, met]);
}

/** A server with its own data; the images are shared, as the domains are. */
const commandFor = (name: string, socket = daemon.socketPath): string[] => [
  ...SERVER,
  ...["--data", join(directory, name), "--images", join(directory, "images")],
  ...["--connection", `local=libvirt,uri=${uri(socket)}`],
];
const serverAt = (name: string, socket?: string, more: readonly string[] = []): Promise<LineClient> =>
  openLines([...commandFor(name, socket), ...more]);

/** A server begins to watch when it has lived for a moment, and then writes down what it sees of every VM. */
async function settled(name: string): Promise<void> {
  const log = join(directory, name, "bootwright.sqlite-wal");
  const wait = (ms: number) => new Promise((wake) => setTimeout(wake, ms));
  await wait(6_000);
  while (Date.now() - (await stat(log)).mtimeMs < 2_000) await wait(200);
}

const VM = "bw-bench";
const small = { disk_size_gb: 1, memory_mb: 64, cpus: 1, network: "none", acceleration: "tcg" };
const ORDERS = ["hd", "cdrom_hd"] as const;

async function bootOrder(): Promise<void> {
  const server = await serverAt("data");
  await server.call("create_vm", { name: VM, ...small });
  const set = async (client: LineClient, order: string) => {
    const { changed } = await client.call("set_boot_order", { vm: VM, boot_order: order });
    if (changed !== true) throw new Error(`the boot order was ${order} already`);
  };
  // A file that changed a moment ago is looked at anew each time; a VM's disk usually did not.
  await new Promise((wake) => setTimeout(wake, 2_500));

  // Recorded through a socket of its own; what is measured goes to the daemon directly.
  const recorder = await record(daemon.socketPath, join(directory, "recorded"));
  const recorded = await serverAt("data", recorder.socketPath);
  for (const order of ORDERS) await set(recorded, order);
  const opening = recorder.take();
  const calls: Recording[] = [];
  let commits: number[] = [];
  for (const order of ORDERS) {
    const before = commitsIn(join(directory, "data/bootwright.sqlite")).length;
    await set(recorded, order);
    calls.push(recorder.take());
    commits = commitsIn(join(directory, "data/bootwright.sqlite")).slice(before);
  }
  await recorded.close();
  recorder.close();

  const bare = await openReplay(daemon.socketPath);
  // Authentication and opening; the calls behind them do no harm.
  await bare.replay(opening);
  const store = openBareCommits(directory);
  const files: string[] = [];
  for (const [index, order] of ORDERS.entries()) {
    await bare.replay(calls[index]!);
    const domain = await libvirt.domainLookupByName(VM);
    const file = join(directory, `${order}.xml`);
    await writeFile(file, await libvirt.domainGetXmlDesc(domain, DOMAIN_XML.inactive | DOMAIN_XML.secure));
    files.push(file);
  }
  const virsh = (...args: string[]) => execa("virsh", ["-q", "-c", uri(daemon.socketPath), ...args]);
  /** Once there and once back, so that everyone finds the order that they change. */
  const both = (work: (index: 0 | 1) => Promise<unknown>) => async () =>
    (await timed(async () => {
      await work(0);
      await work(1);
    })) / 2;
  const times = await inTurns(rounds(100), {
    own: both((index) => set(server, ORDERS[index])),
    rpc: both((index) => bare.replay(calls[index]!)),
    commits: both(async () => store.commit(commits)),
    virsh: both(async (index) => {
      await virsh("dumpxml", VM, "--inactive", "--security-info");
      await virsh("define", files[index]!);
    }),
  });
  const sum = times.rpc.median + times.commits.median;
  compare("set_boot_order", times.own, `${calls[0]!.length} bare libvirt calls, the same bytes`, times.rpc);
  compare("", times.own, `${commits.length} bare durable commits`, times.commits);
  compare("", times.own, "both together", sum, 2);
  compare("", times.own, "virsh dumpxml, virsh define", times.virsh);
  bare.close();
  store.close();
  await server.close();
}

/** Defines copies of one domain until there are this many. */
async function fill(many: number): Promise<void> {
  const [first] = await libvirt.connectListAllDomains();
  if (!first) throw new Error("there is no domain to copy");
  const xml = await libvirt.domainGetXmlDesc(first, DOMAIN_XML.inactive | DOMAIN_XML.secure);
  const have = (await libvirt.connectListAllDomains()).length;
  for (let index = have; index < many; index++) {
    const uuid = `00000000-0000-4000-8000-${String(index).padStart(12, "0")}`;
    const copy = xml
      .replaceAll(first.uuid, uuid)
      .replace(`<name>${first.name}<`, `<name>bw-bench-${String(index).padStart(4, "0")}<`)
      .replace(/<mac address=.*?\/>/g, "");
    await libvirt.domainDefineXmlFlags(copy);
  }
}

async function list(): Promise<void> {
  const server = await serverAt("data");
  for (const many of [10, 100, 1000]) {
    await fill(many);
    const times = await inTurns(rounds(many === 1000 ? 20 : 60), {
      own: () =>
        timed(async () => {
          const { total } = await server.call("list_vms");
          if (total !== many) throw new Error(`${total} VMs instead of ${many}`);
        }),
      bare: () =>
        timed(async () => {
          const domains = await libvirt.connectListAllDomains();
          const flags = DOMAIN_XML.inactive | DOMAIN_XML.secure;
          await Promise.all(domains.map((domain) => libvirt.domainGetXmlDesc(domain, flags)));
        }),
    });
    compare(`list_vms, ${many} VMs`, times.own, "their XML, bare and pipelined", times.bare, 1.5);
  }
  await server.close();
}

async function http(): Promise<void> {
  const many = 1000;
  if ((await libvirt.connectListAllDomains()).length === 0) {
    const server = await serverAt("data");
    await server.call("create_vm", { name: VM, ...small });
    await server.close();
  }
  await fill(many);
  await execa(process.execPath, [path("../scripts/page.ts")]);
  const token = crypto.randomUUID();
  const own = await startServed([...commandFor("data"), "--listen", "0", "serve"], token);
  const answer = await (await fetch(`${own.url}/api/vms`, { headers: { authorization: `Bearer ${token}` } })).text();
  const { total } = JSON.parse(answer) as { total?: number };
  if (total !== many) throw new Error(`${total} VMs instead of ${many}: ${answer.slice(0, 500)}`);
  const file = join(directory, "answer.json");
  await writeFile(file, answer);
  const constantServer = [process.execPath, path("constant-server.ts"), join(directory, "constant"), file];
  const constant = await startServed(constantServer, token);
  await settled("data");
  const size = kib(answer.length);
  if (wanted("http"))
    await underLoad(`GET /api/vms, ${many} VMs`, size, { own: own.url, constant: constant.url, token });
  if (wanted("page")) {
    const looks = {
      own: { url: `${own.url}/`, selector: ".vm-row:not(.heading) a" },
      bare: { url: `${constant.url}/bare`, selector: "a" },
    };
    const seen = await paints(rounds(20), token, looks);
    compare(
      `the page until the first of ${many} VMs is seen`,
      seen.own,
      `a bare page, a constant of ${size}`,
      seen.bare,
    );
    for (const [name, { bytes, zipped }] of Object.entries(sizes(path("../ui/dist"))))
      rows.push([`the ${name}'s size`, `${kib(bytes)}, ${kib(zipped)} with gzip`, "", "", "", ""]);
  }
  await own.close();
  await constant.close();
}

const kib = (bytes: number) => `${(bytes / 1024).toFixed(bytes < 102_400 ? 1 : 0)} KiB`;

async function underLoad(
  what: string,
  size: string,
  { own, constant, token }: Readonly<{ own: string; constant: string; token: string }>,
): Promise<void> {
  const by = { token, connections: 8, ms: flags.quick ? 2_000 : 5_000 };
  const found = await rates(rounds(5), {
    own: { url: `${own}/api/vms`, ...by },
    constant: { url: `${constant}/constant`, ...by },
  });
  const inSecond = ({ perSecond }: Rate) => `${perSecond.toFixed(perSecond < 100 ? 1 : 0)} a second`;
  const ratio = `${(found.constant.perSecond / found.own.perSecond).toFixed(2)} x`;
  const beside = `the same application, a constant of ${size}`;
  rows.push([
    `${what}, ${by.connections} connections`,
    inSecond(found.own),
    beside,
    inSecond(found.constant),
    ratio,
    "",
  ]);
  compare("", found.own.times, "the same", found.constant.times);
  const [slow, fast] = [found.own.times.p99, found.constant.times.p99];
  rows.push(["", `p99 ${slow.toFixed(0)}`, "the same", `p99 ${fast.toFixed(0)}`, `${(slow / fast).toFixed(2)} x`, ""]);
}

async function coldStart(): Promise<void> {
  const first = async (command: readonly string[]) => {
    let client: LineClient | undefined;
    const ms = await timed(async () => {
      client = await openLines(command);
      await client.ask("tools/list");
    });
    await client?.close();
    return ms;
  };
  const built = join(path("../node_modules/.cache"), "bootwright-bench");
  await execa(process.execPath, [path("../scripts/build.ts"), "--out", built]);
  const settings = ["--data", join(directory, "cold")];
  const times = await inTurns(rounds(40), {
    own: () => first([...SERVER, ...settings]),
    built: () => first([process.execPath, join(built, "src/main.js"), ...settings]),
    bare: () => first([process.execPath, path("bare-server.ts")]),
  });
  await rm(built, { recursive: true, force: true });
  compare("cold start to tools/list, from source", times.own, "a server with one tool", times.bare, 1.5);
  compare("cold start to tools/list, built", times.built, "a server with one tool", times.bare, 1.5);
}

async function events(): Promise<void> {
  const noted = join(directory, "noted/events");
  await mkdir(join(directory, "noted"));
  const clock = await writePlugin(directory);
  const server = await serverAt("events", daemon.socketPath, ["--plugin", `${clock},file=${noted}`]);
  const name = "bw-bench-events";
  const { vm } = (await server.call("create_vm", { name, ...small })) as { vm: { uuid: string } };
  await server.call("start_vm", { vm: name, accept: ["NOTHING_BOOTS"] });
  await settled("events");
  const { bare, client, plugin } = await latencies(libvirt, server, {
    vm: name,
    uuid: vm.uuid,
    noted,
    rounds: rounds(100),
  });
  const p99 = ({ p99: ms }: Times) => `p99 ${ms.toFixed(1)} ms`;
  compare(`libvirt's event to an MCP client, ${p99(client)}`, client, `bare event client, ${p99(bare)}`, bare);
  compare(`libvirt's event to a plugin, ${p99(plugin)}`, plugin, `bare event client, ${p99(bare)}`, bare);
  await libvirt.domainDestroyFlags(await libvirt.domainLookupByName(name), 0);
  await server.close();
  const many = flags.quick ? 2_000 : 10_000;
  const { taken, read } = await throughput(join(directory, "throughput"), many);
  const [own, plain] = [`${taken} a second`, `${read} a second`];
  rows.push([`${many} events to five subscribers`, own, "read in pages", plain, `${(read / taken).toFixed(2)} x`, ""]);
}

const load = () => loadavg()[0]!.toFixed(2);
try {
  await mkdir(join(directory, "images"), { mode: 0o755 });
  console.log(`Node ${process.versions.node}, ${availableParallelism()} CPUs, load ${load()} before`);
  if (wanted("calls")) await printCosts(directory);
  if (wanted("boot") || wanted("list")) await bootOrder();
  if (wanted("list")) await list();
  if (wanted("http") || wanted("page")) await http();
  if (wanted("start")) await coldStart();
  if (wanted("events")) await events();
  if (rows.length > 1) printTable(rows);
  console.log(`load ${load()} after`);
} finally {
  await libvirt.close();
  await daemon.stop();
  await rm(directory, { recursive: true, force: true });
}
