// Vitest's global setup for the tests on real libvirt: its daemons run, the ISOs that guests boot are built, and there is
// a directory for the guests' disks that QEMU's user may enter. A test reads all that by inject("guests").

import { existsSync } from "node:fs";
import { chmod, mkdir, readFile, rm } from "node:fs/promises";
import { connect } from "node:net";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import type { TestProject } from "vitest/node";
import { type BootIsos, bootIsos } from "../fixtures/boot-images.ts";
import { installedDisk } from "../fixtures/installed-disk.ts";
import { fixturesDir, installerIso } from "../fixtures/installer-iso.ts";
import { workDirectory } from "./guest-names.ts";
import { endLeftovers } from "./leftovers.ts";
import { newRun, RUN_VARIABLE } from "./test-run.ts";

/** What the tests on real libvirt start from. The ISOs are shared and never written. */
export type Guests = {
  /** The unattended installer: prints INSTALL-COMPLETE run=N, reboots; its disk prints BOOTED-FROM-DISK N. */
  installerIso: string;
  /** Guests of a few hundred bytes. */
  isos: BootIsos;
  /** For this run's disks and serial logs, removed at its end. */
  workDir: string;
};

declare module "vitest" {
  interface ProvidedContext {
    guests: Guests;
  }
}

const logSocket = "/run/libvirt/virtlogd-sock";
const libvirtSockets = ["/run/libvirt/libvirt-sock", "/run/libvirt/virtqemud-sock"];
const daemons = ["virtlogd", "libvirtd", "virtqemud"];

function listens(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const answer = (value: boolean) => {
      socket.destroy();
      resolve(value);
    };
    socket.once("connect", () => answer(true));
    socket.once("error", () => answer(false));
    socket.setTimeout(2000, () => answer(false));
  });
}

async function servicesRun(): Promise<boolean> {
  const [log, ...libvirt] = await Promise.all([logSocket, ...libvirtSockets].map(listens));
  return log === true && libvirt.includes(true);
}

async function daemonPids(): Promise<number[]> {
  const pids = await Promise.all(daemons.map((name) => readFile(`/run/${name}.pid`, "utf8").catch(() => "")));
  return pids.map(Number).filter((pid) => pid > 0 && isRunning(pid));
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** Starts what is missing, and answers with the daemons that were started; systemd's own are left to systemd. */
async function startServices(): Promise<number[]> {
  if (await servicesRun()) return [];
  const before = await daemonPids();
  const setup = fileURLToPath(new URL("../../scripts/setup.sh", import.meta.url));
  // Daemons are no part of this run, which ends what is.
  const env = { [RUN_VARIABLE]: undefined };
  await execa("sh", [setup], { stdin: "ignore", stdout: "inherit", stderr: "inherit", env });
  return existsSync("/run/systemd/system") ? [] : (await daemonPids()).filter((pid) => !before.includes(pid));
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  if (process.env[RUN_VARIABLE] === undefined) {
    // Vitest alone: scripts/test.ts sees to both for all that it runs.
    process.env[RUN_VARIABLE] = newRun();
    await endLeftovers();
  }
  const started = await startServices();
  await mkdir(fixturesDir, { recursive: true });
  const installer = await installerIso();
  const isos = await bootIsos(fixturesDir);
  // Made here rather than by two files at once.
  for (const kernel of ["cloud", "generic"] as const) await installedDisk(kernel);
  const workDir = await workDirectory();
  // QEMU runs as a user of its own, who must be able to enter the directories on the way to an image.
  for (const dir of [workDir, fixturesDir]) await chmod(dir, 0o755);
  project.provide("guests", { installerIso: installer, isos, workDir });
  return async () => {
    await rm(workDir, { recursive: true, force: true });
    for (const pid of started.filter(isRunning)) process.kill(pid, "SIGTERM");
  };
}
