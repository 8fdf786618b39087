// VMs on the real libvirt for one test file: a server on a data and an image directory of its own, and virsh to look and to
// edit as another program does. Its end leaves nothing behind, whatever happened before.

import { randomBytes } from "node:crypto";
import { chmod, copyFile, mkdir, rm, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { execa } from "execa";
import { openSqliteStore } from "../../src/store/sqlite/store.ts";
import { installedSystem, makeDisk } from "../fixtures/boot-images.ts";
import { putInstalled } from "../fixtures/installed-disk.ts";
import { type BootwrightClient, openClient, type Refusal, Refused } from "./client.ts";
import { guestPrefix, workDirectory } from "./guest-names.ts";

export type TestbedOptions = Readonly<{
  /** ISOs that go into the library, under their own names. */
  isos?: readonly string[];
  uri?: string;
  settings?: readonly string[];
  env?: Readonly<Record<string, string>>;
  /** The program that runs the server. */
  command?: readonly string[];
  /** Keeps the server from watching, since another process has that task, for tests that count its calls. */
  unwatched?: boolean;
}>;

export type Testbed = Readonly<{
  directory: string;
  server: BootwrightClient;
  call: BootwrightClient["call"];
  /** The questions that the user was asked, oldest first; each is answered with yes. */
  asked: string[];
  virsh: (...args: readonly string[]) => Promise<string>;
  /** Makes a VM's name; a VM of that name is removed with the testbed. */
  name: (word: string) => string;
  iso: (path: string) => string;
  /** Makes a small VM, off and without acceleration. */
  create: (word: string, args?: Readonly<Record<string, unknown>>) => Promise<TestbedVm>;
  /** Makes a VM whose disk boots a guest of a few hundred bytes, under both firmwares. */
  installed: (word: string, args?: Readonly<Record<string, unknown>>) => Promise<TestbedVm>;
  /** Makes a VM whose disk has a Linux of its own, with an agent (test/fixtures/installed-disk.ts). */
  withSystem: (
    word: string,
    args?: Readonly<Record<string, unknown>>,
    kernel?: "cloud" | "generic",
  ) => Promise<TestbedVm>;
  /** Defines XML as another program would. */
  define: (xml: string) => Promise<void>;
  xml: (vm: string) => Promise<string>;
  close: () => Promise<void>;
}>;

export type TestbedVm = Readonly<{ name: string; uuid: string; disk_path: string; serial_log: string }>;

export type ToolName = Parameters<Testbed["call"]>[0];

export const SYSTEM = "qemu:///system";

export async function openTestbed({
  isos = [],
  uri = SYSTEM,
  settings: more = [],
  env = {},
  command,
  unwatched = false,
}: TestbedOptions = {}): Promise<Testbed> {
  const directory = await workDirectory();
  // QEMU runs as a user of its own, who has to be able to enter the directories.
  await chmod(directory, 0o711);
  const [images, library] = [join(directory, "images"), join(directory, "isos")];
  for (const made of [images, library]) await mkdir(made, { mode: 0o711 });
  for (const made of [images, library]) await chmod(made, 0o755);
  const iso = (path: string) => join(library, basename(path));
  for (const path of isos) await copyFile(path, iso(path));
  const prefix = `${guestPrefix}${randomBytes(3).toString("hex")}-`;
  const asked: string[] = [];
  const settings = [
    ...["--data", join(directory, "data"), "--images", images, "--iso-dir", library],
    ...(more.includes("--connection") ? [] : ["--connection", `local=libvirt,uri=${uri}`]),
    ...more,
  ];
  const virsh = async (...args: readonly string[]) => {
    const { stdout } = await execa("virsh", ["-c", uri, ...args], { env: { LC_ALL: "C" } });
    return stdout.trim();
  };
  const watching = unwatched ? await watchInstead(join(directory, "data"), images) : undefined;
  const server = await openClient({
    settings,
    ...(command && { command }),
    env: { XDG_CACHE_HOME: join(directory, "cache"), ...env },
    confirm: (message) => asked.push(message) > 0,
  });
  const testbed: Testbed = {
    directory,
    server,
    call: server.call,
    asked,
    virsh,
    iso,
    name: (word) => prefix + word,
    async create(word, args = {}) {
      const small = { memory_mb: 128, disk_size_gb: 1, cpus: 1, network: "none", acceleration: "tcg" };
      const { vm } = await server.call("create_vm", { name: prefix + word, ...small, ...args });
      return { name: vm.name, uuid: vm.uuid, disk_path: vm.disk_path!, serial_log: vm.serial_log! };
    },
    async installed(word, args = {}) {
      const vm = await testbed.create(word, args);
      await makeDisk(vm.disk_path, { format: "qcow2", sizeBytes: 1024 ** 3, ...installedSystem });
      return vm;
    },
    async withSystem(word, args = {}, kernel = "cloud") {
      const vm = await testbed.create(word, { memory_mb: 256, ...args });
      await putInstalled(vm.disk_path, kernel);
      return vm;
    },
    async define(xml) {
      const path = join(directory, "domain.xml");
      await writeFile(path, xml, { mode: 0o600 });
      await virsh("define", path);
    },
    xml: async (vm) => `${await virsh("dumpxml", "--inactive", "--security-info", vm)}\n`,
    async close() {
      try {
        await server.close();
        await watching?.close();
        const names = (await virsh("list", "--all", "--name")).split("\n").filter((name) => name.startsWith(prefix));
        for (const name of names) await removeDomain(virsh, name);
      } finally {
        await rm(directory, { recursive: true, force: true });
      }
    },
  };
  return testbed;
}

/** Takes the task of watching from every server on this data directory until it is closed. */
async function watchInstead(directory: string, imageDirectory: string): Promise<{ close(): Promise<void> }> {
  const newId = () => crypto.randomUUID();
  const store = await openSqliteStore({ directory, imageDirectory, connection: "local", newId });
  if (!(await store.lease("watch:local"))) throw new Error("a server watches already");
  return store;
}

/** Waits until the testbed's server watches: what happened before that leaves no trace but what a look finds. */
export async function watched({ directory }: Pick<Testbed, "directory">): Promise<void> {
  const database = join(directory, "data/bootwright.sqlite");
  for (let begun = false; !begun; ) {
    await new Promise((wake) => setTimeout(wake, 300));
    const store = new DatabaseSync(database, { readOnly: true });
    begun = store.prepare("select 1 from leases where task = 'watch:local'").get() !== undefined;
    store.close();
  }
  // It has the task before it listens, and nothing outside its process shows that it does.
  await new Promise((wake) => setTimeout(wake, 500));
}

async function removeDomain(virsh: Testbed["virsh"], name: string): Promise<void> {
  await virsh("destroy", name).catch(() => undefined);
  const everything = ["--managed-save", "--nvram", "--tpm", "--snapshots-metadata", "--checkpoints-metadata"];
  await virsh("undefine", name, ...everything).catch(() => virsh("undefine", name, "--nvram"));
}

/** Returns the refusal of a call. @throws Error where it was not refused */
export async function refusalOf(call: Promise<unknown>): Promise<Refusal> {
  try {
    await call;
  } catch (error) {
    if (error instanceof Refused) return error.refusal;
    throw error;
  }
  throw new Error("The call was not refused");
}

export const codesOf = (vm: { findings: readonly { code: string }[] }): string[] => vm.findings.map(({ code }) => code);

/** Runs a command in a guest that has an agent. Returns what it wrote. */
export async function inGuest({ virsh }: Pick<Testbed, "virsh">, vm: string, command: string): Promise<string> {
  const agent = async (execute: string, args: Record<string, unknown>) =>
    JSON.parse(await virsh("qemu-agent-command", vm, JSON.stringify({ execute, arguments: args }))).return;
  const { pid } = await agent("guest-exec", { path: "/bin/sh", arg: ["-c", command], "capture-output": true });
  for (;;) {
    const status = await agent("guest-exec-status", { pid });
    const text = (data: string | undefined) => Buffer.from(data ?? "", "base64").toString();
    if (status.exited) return (text(status["out-data"]) + text(status["err-data"])).trim();
    await new Promise((wake) => setTimeout(wake, 100));
  }
}

/** Waits until the guest's agent answers. */
export async function agentAnswers({ virsh }: Pick<Testbed, "virsh">, vm: string, timeoutMs = 60_000): Promise<void> {
  const until = performance.now() + timeoutMs;
  for (;;) {
    const answered = await virsh("qemu-agent-command", vm, '{"execute":"guest-ping"}').then(
      () => true,
      () => false,
    );
    if (answered) return;
    if (performance.now() > until) throw new Error(`The agent of ${vm} does not answer`);
    await new Promise((wake) => setTimeout(wake, 200));
  }
}
