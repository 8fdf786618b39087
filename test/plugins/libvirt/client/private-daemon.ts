// A libvirtd of the tests' own: its own sockets and state, so that nothing touches the host's daemon and the daemon
// can be killed and started again. Without `system` it runs as the user "nobody" when the tests run as root, and its
// drivers are test:///default and qemu:///session; with `system` it runs as root in a mount namespace of its own.

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { chmod, chown, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { guestPrefix, testRun } from "../../../support/guest-names.ts";
import { RUN_VARIABLE } from "../../../support/test-run.ts";

export const hasLibvirtd = spawnSync("libvirtd", ["--version"]).status === 0;
export const isRoot = process.getuid?.() === 0;
export const NOBODY = 65_534;
/** Whether a daemon with `system` can be had here. */
export const canBeSystem = isRoot && spawnSync("unshare", ["-m", "true"]).status === 0;

export interface PrivateDaemon {
  readonly directory: string;
  /** Its QEMU driver. */
  readonly qemuUri: string;
  readonly socketPath: string;
  readonly pid: number;
  /** The process of a running QEMU guest. */
  guestPid(name: string): Promise<number>;
  /** Starts the daemon again after `kill`. */
  start(): Promise<void>;
  /** Ends the process at once; running guests go on without it. */
  kill(): Promise<void>;
  /** Kills the daemon and removes its directory. */
  stop(): Promise<void>;
}

/** Starts a libvirtd; `settings` are lines for its libvirtd.conf. */
export async function startDaemon({
  settings = [],
  environment = {},
  system = false,
  lasting = false,
}: {
  settings?: string[];
  system?: boolean;
  /** With `system`: the next daemon finds the guests that went on without the one that was killed. */
  lasting?: boolean;
  environment?: Record<string, string>;
} = {}): Promise<PrivateDaemon> {
  const directory = await mkdtemp(join(tmpdir(), guestPrefix));
  await chmod(directory, 0o755);
  const own = (name: string) => join(directory, name);
  const socketPath = own("sockets/libvirt-sock");
  for (const name of ["sockets", "run", "home", "config", "config/libvirt"]) await mkdir(own(name));
  const lines = [`unix_sock_dir = "${own("sockets")}"`, `unix_sock_rw_perms = "0777"`, ...settings];
  await writeFile(own("libvirtd.conf"), lines.join("\n"));
  // Without a virtlogd to write the guests' output, and without a mount namespace for each guest: libvirt cannot build
  // one around a /dev/kvm that is mounted over.
  await writeFile(own("config/libvirt/qemu.conf"), `stdio_handler = "file"\nnamespaces = []\n`);
  // Nobody may use it: some hosts have a /dev/kvm that libvirt's probe may open and its guests may not, and libvirt
  // then probes QEMU again, for seconds, at every call that looks at a machine.
  await writeFile(own("kvm"), "", { mode: 0 });
  const asNobody = isRoot && !system;
  if (asNobody) {
    const names = ["", "sockets", "run", "home", "config", "config/libvirt"];
    for (const name of names) await chown(own(name), NOBODY, NOBODY);
  }
  let child: ChildProcess | undefined;
  const daemon = {
    directory,
    qemuUri: system ? "qemu:///system" : "qemu:///session",
    socketPath,
    get pid() {
      return child?.pid ?? Number.NaN;
    },
    async guestPid(name: string) {
      const path = system ? `/proc/${child?.pid}/root/run/libvirt/qemu` : own("run/libvirt/qemu/run");
      return Number(await readFile(join(path, `${name}.pid`), "utf8"));
    },
    async start() {
      await rm(socketPath, { force: true });
      const command = ["libvirtd", "-f", own("libvirtd.conf"), "-p", own("pid")];
      const inNamespace = ["unshare", "-m", "sh", "-c", namespace(directory, lasting), ...command];
      const [program = "", ...rest] = system ? inNamespace : command;
      child = spawn(program, rest, {
        stdio: "ignore",
        env: {
          PATH: process.env.PATH,
          HOME: own("home"),
          XDG_RUNTIME_DIR: own("run"),
          XDG_CONFIG_HOME: own("config"),
          XDG_CACHE_HOME: own("cache"),
          XDG_DATA_HOME: own("data"),
          [RUN_VARIABLE]: testRun,
          ...environment,
        },
        ...(asNobody ? { uid: NOBODY, gid: NOBODY } : {}),
      });
      await until(() => existsSync(socketPath), "libvirtd has no socket");
    },
    async kill() {
      if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
      const exited = new Promise((resolve) => child?.once("exit", resolve));
      child.kill("SIGKILL");
      await exited;
    },
    async stop() {
      await daemon.kill();
      await rm(directory, { recursive: true, force: true });
    },
  };
  await daemon.start();
  return daemon;
}

/** Runs its arguments where the host's libvirt has no state, and where /dev/kvm cannot be used. */
function namespace(directory: string, lasting: boolean): string {
  const places = ["/run/libvirt", "/var/lib/libvirt", "/var/cache/libvirt", "/var/log/libvirt"];
  // A mount of its own ends with the daemon and its guests; a directory outlives it.
  const own = places.map((place) => `${directory}/state${place}`);
  return [
    `mkdir -p ${[...places, ...own].join(" ")}`,
    ...places.map((place, index) =>
      lasting ? `mount --bind '${own[index]}' ${place}` : `mount -t tmpfs -o mode=755 tmpfs ${place}`,
    ),
    `mount --bind '${directory}/config/libvirt' /etc/libvirt`,
    `{ [ ! -e /dev/kvm ] || mount --bind '${directory}/kvm' /dev/kvm; }`,
    `exec "$0" "$@"`,
  ].join(" && ");
}

/** Waits until `condition` holds; fails with `otherwise` after a minute. */
export async function until(condition: () => boolean | Promise<boolean>, otherwise: string): Promise<void> {
  for (let left = 3_000; left > 0; left--) {
    if (await condition()) return;
    await wait(20);
  }
  throw new Error(otherwise);
}
