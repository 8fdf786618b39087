// A process of the program that is killed: at a moment of its work that is drawn by time, or aimed at by the call that it
// makes to libvirt.

import { watch } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as wait } from "node:timers/promises";
import { execa } from "execa";
import { PROCEDURE } from "../../plugins/libvirt/client/procedure.ts";
import { type BootwrightClient, openClient, Refused, serverPath } from "../support/client.ts";
import { openProxy } from "../support/libvirt-proxy.ts";
import type { ToolName } from "../support/vm.ts";
import type { Place } from "./agreement.ts";

export type Aim =
  | Readonly<{ at: "time"; ms: number }>
  /** The nth call to libvirt, or the nth of those that change something. `before`: the daemon never gets it. `after`: it
   * gets it, and the process lives on for `ms`. */
  | Readonly<{ at: "call"; writes: boolean; nth: number; moment: "before" | "after"; ms: number }>
  /** Kills at the nth change in the image directory, whoever makes it. */
  | Readonly<{ at: "file"; nth: number; ms: number }>
  /** Kills this many milliseconds after the operation is on record as begun. */
  | Readonly<{ at: "begun"; ms: number }>;

export type Ask = Readonly<{ vm: string; tool: ToolName; args: Record<string, unknown> }>;

export type Death = Readonly<{
  /** The answer, if the process was done first, and the milliseconds that it took. */
  answer?: Readonly<Record<string, unknown>>;
  refused?: string;
  ms?: number;
  calls: number;
  writes: number;
  stderr: string;
}>;

const writing = new Set<number>([
  PROCEDURE.DOMAIN_DEFINE_XML_FLAGS,
  PROCEDURE.DOMAIN_UNDEFINE_FLAGS,
  PROCEDURE.DOMAIN_CREATE_WITH_FLAGS,
  PROCEDURE.DOMAIN_DESTROY_FLAGS,
  PROCEDURE.DOMAIN_UPDATE_DEVICE_FLAGS,
  PROCEDURE.DOMAIN_SET_METADATA,
  PROCEDURE.DOMAIN_MANAGED_SAVE_REMOVE,
  PROCEDURE.DOMAIN_BLOCK_RESIZE,
]);

/** Returns the settings of a process on this place; `socket` stands for libvirt's own. */
export const settingsFor = (place: Place, isoDirectory: string, socket?: string): string[] => [
  ...["--data", place.data, "--images", place.images, "--iso-dir", isoDirectory],
  ...["--connection", `local=libvirt,uri=${place.uri}${socket === undefined ? "" : `?socket=${socket}`}`],
];

export type Scene = Readonly<{ place: Place; directory: string; isoDirectory: string }>;

/** Strikes at a change of files, for work that is done without libvirt. Returns a function that ends the watch. */
function watchFiles({ place }: Scene, vm: string, aim: Aim, strike: () => void): () => void {
  if (aim.at !== "file" && aim.at !== "begun") return () => {};
  let struck = false;
  const soon = () => {
    if (struck) return;
    struck = true;
    if (aim.ms === 0) strike();
    else setTimeout(strike, aim.ms);
  };
  if (aim.at === "file") {
    let left = aim.nth;
    const watcher = watch(place.images, () => {
      if (--left === 0) soon();
    });
    return () => watcher.close();
  }
  const database = new DatabaseSync(join(place.data, "bootwright.sqlite"), { readOnly: true });
  const begun = database.prepare("select 1 from operations where status = 'begun' and steps like ?");
  const timer = setInterval(() => {
    if (!struck && begun.get(`%${vm}%`)) soon();
  }, LOOK_EVERY_MS);
  return () => {
    clearInterval(timer);
    database.close();
  };
}
const LOOK_EVERY_MS = 4;

let sockets = 0;

/** Opens a proxy that counts calls, and calls `strike` at its aim once it is armed. */
async function aimedProxy({ directory }: Scene, aim: Aim, strike: () => void) {
  const path = join(directory, `p${++sockets}.sock`);
  const counted = { calls: 0, writes: 0 };
  let armed = false;
  const proxy = await openProxy(path, async ({ procedure }) => {
    if (!armed) return;
    counted.calls++;
    if (writing.has(procedure)) counted.writes++;
    if (aim.at !== "call" || (aim.writes && !writing.has(procedure))) return;
    if ((aim.writes ? counted.writes : counted.calls) !== aim.nth) return;
    if (aim.moment === "after") {
      // The call is on its way when this returns.
      if (aim.ms === 0) setImmediate(strike);
      else setTimeout(strike, aim.ms);
      return;
    }
    strike();
    await new Promise(() => undefined);
  });
  return { path, counted, arm: () => (armed = true), close: proxy.close };
}

export const openServer = (scene: Scene, socket?: string): Promise<BootwrightClient> =>
  openClient({
    settings: settingsFor(scene.place, scene.isoDirectory, socket),
    env: { XDG_CACHE_HOME: join(scene.directory, "cache") },
    confirm: () => true,
  });

/** Kills a process that this test started; one that has ended by itself is no fault. */
export function killProcess(pid: number | null | undefined): void {
  if (!pid) return;
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/** Opens a server whose calls pass through a proxy, and which is killed at the aim once that is armed. */
export async function openVictim(scene: Scene, aim: Aim, vm = "") {
  let server: BootwrightClient | undefined;
  const died = Promise.withResolvers<void>();
  const strike = () => {
    killProcess(server?.pid());
    died.resolve();
  };
  const proxy = await aimedProxy(scene, aim, strike);
  server = await openServer(scene, proxy.path);
  let unwatch = () => {};
  const close = async () => {
    unwatch();
    strike();
    await server.close();
    await proxy.close();
  };
  const arm = () => {
    proxy.arm();
    unwatch = watchFiles(scene, vm, aim, strike);
    if (aim.at === "time") setTimeout(strike, aim.ms);
  };
  return { server, arm, died: died.promise, counted: proxy.counted, close };
}

/** Makes a call on a server, and kills the server at the aim. */
export async function dieServing(scene: Scene, ask: Ask, aim: Aim): Promise<Death> {
  const victim = await openVictim(scene, aim, ask.vm);
  const { server } = victim;
  // The store and libvirt are reached at the first call, which is not what is to be hit.
  await server.call("list_vms");
  victim.arm();
  const begun = performance.now();
  const outcome = await Promise.race([
    server.call(ask.tool, ask.args).then(
      (answer) => ({ answer, ms: performance.now() - begun }),
      (error: unknown) => (error instanceof Refused ? { refused: error.message } : {}),
    ),
    victim.died.then(() => ({})),
  ]);
  await victim.close();
  return { ...outcome, ...victim.counted, stderr: server.stderr() };
}

/** Makes the call on the command line, and kills its process at the aim. */
export async function dieCalling(scene: Scene, ask: Ask, aim: Aim): Promise<Death> {
  let strike = () => {};
  const proxy = await aimedProxy(scene, aim, () => strike());
  proxy.arm();
  const settings = settingsFor(scene.place, scene.isoDirectory, proxy.path);
  const args = [serverPath, ...settings, "call", ask.tool, "--json", JSON.stringify(ask.args)];
  const env = { XDG_CACHE_HOME: join(scene.directory, "cache") };
  const child = execa(process.execPath, args, { reject: false, stdin: "ignore", env });
  strike = () => killProcess(child.pid);
  if (aim.at === "time") void wait(aim.ms).then(strike);
  const unwatch = watchFiles(scene, ask.vm, aim, strike);
  const { exitCode, stdout, stderr } = await child;
  unwatch();
  await proxy.close();
  const ended =
    exitCode === 0
      ? { answer: JSON.parse(stdout) as Record<string, unknown> }
      : exitCode === 1
        ? { refused: stderr }
        : {};
  return { ...ended, ...proxy.counted, stderr };
}
