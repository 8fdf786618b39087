// Ends what a run of the tests leaves, a guest that burns a processor above all. The run does it itself, or the next run
// does where it was killed.

import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { execa } from "execa";
import { memoryDirectory } from "./memory-directory.ts";
import { isOver, isRun, RUN_VARIABLE, runIn, statOf } from "./test-run.ts";

/** The places in which a run has directories of its name. */
const places = new Set(["/var/tmp", tmpdir(), memoryDirectory]);
const KILLED_MS = 10_000;

/** Returns the run of a process, by its environment or by a guest or a directory on its command line. */
function runOf(pid: string): string | undefined {
  const text = (file: string) => readFileSync(`/proc/${pid}/${file}`, "utf8");
  try {
    const named = text("environ")
      .split("\0")
      .find((variable) => variable.startsWith(`${RUN_VARIABLE}=`))
      ?.slice(RUN_VARIABLE.length + 1);
    return named !== undefined && isRun(named) ? named : runIn(text("cmdline"));
  } catch {
    // It has ended, or is not ours to look into.
    return undefined;
  }
}

/** Returns this process and its parents. */
function ownLine(): Set<string> {
  const line = new Set<string>();
  for (let pid: string | undefined = String(process.pid); pid !== undefined; pid = statOf(pid)?.[1]) {
    if (line.has(pid)) break;
    line.add(pid);
  }
  return line;
}

/** Returns the processes of the chosen runs, without this one and its parents. */
export function processesOf(isMeant: (run: string) => boolean): number[] {
  let all: string[] = [];
  try {
    all = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  } catch {
    // Only Linux has it.
  }
  const spared = ownLine();
  const belongs = (pid: string) => {
    const run = spared.has(pid) ? undefined : runOf(pid);
    // One that has ended stays in the table until its parent asks after it.
    return run !== undefined && isMeant(run) && (statOf(pid)?.[0] ?? "Z") !== "Z";
  };
  return all.filter(belongs).map(Number);
}

const virsh = (...args: string[]) =>
  execa("virsh", ["-q", "-c", "qemu:///system", ...args], { reject: false, timeout: 30_000, env: { LC_ALL: "C" } });

/** Returns the names of their guests on the machine's libvirt; none where it does not answer. */
export async function guestsOf(isMeant: (run: string) => boolean): Promise<string[]> {
  const { stdout = "", exitCode } = await virsh("list", "--all", "--name");
  return exitCode === 0 ? stdout.split("\n").filter(belongsTo(isMeant)) : [];
}

const belongsTo =
  (isMeant: (run: string) => boolean) =>
  (name: string): boolean => {
    const run = runIn(name);
    return run !== undefined && isMeant(run);
  };

export type Left = Readonly<{ processes: number; guests: readonly string[] }>;

/** Ends everything of the chosen runs. Returns what that was. */
export async function endAll(isMeant: (run: string) => boolean): Promise<Left> {
  const ended = new Set<number>();
  // What one of them starts while the others are ended is found the next time.
  for (const until = performance.now() + KILLED_MS; performance.now() < until; await wait(50)) {
    const found = processesOf(isMeant);
    if (found.length === 0) break;
    for (const pid of found) {
      ended.add(pid);
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // It has ended by itself.
      }
    }
  }
  const guests = await guestsOf(isMeant);
  for (const name of guests) {
    await virsh("destroy", name);
    const everything = ["--nvram", "--managed-save", "--snapshots-metadata", "--checkpoints-metadata", "--tpm"];
    const { exitCode } = await virsh("undefine", name, ...everything);
    if (exitCode !== 0) await virsh("undefine", name, "--nvram");
  }
  for (const place of places) {
    const names = existsSync(place) ? readdirSync(place).filter(belongsTo(isMeant)) : [];
    for (const name of names) rmSync(join(place, name), { recursive: true, force: true });
  }
  return { processes: ended.size, guests };
}

/** Ends what runs that are over have left, and warns of it. */
export async function endLeftovers(): Promise<void> {
  const { processes, guests } = await endAll(isOver);
  const left = [...(processes > 0 ? [`${processes} processes`] : []), ...guests];
  if (left.length > 0)
    console.warn(`warning: an earlier run of the tests was killed; what it left is ended: ${left.join(", ")}`);
}
