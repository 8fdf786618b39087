/** The process of a VM. It outlives this process, and is found again by its socket. */
import { randomUUID } from "node:crypto";
import { appendFile, copyFile, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { DomainError } from "../../src/plugin.ts";
import { commandLine } from "./command-line.ts";
import { type Definition, readDefinition, writtenDefinition } from "./definition.ts";
import { endingEvent } from "./event-log.ts";
import { readText, writeWhole } from "./file.ts";
import { firmwareFor } from "./firmware.ts";
import { describeFailure, runToExit } from "./program.ts";
import { isListening } from "./qmp/client.ts";
import type { QemuSession } from "./session.ts";
import { endTpm, startTpm } from "./tpm.ts";
import type { VmPaths } from "./vm-paths.ts";

/** The start parameters of one run. `run` is random, so that it is unique among a VM's runs. */
export type Started = Readonly<{ run: string; definition: Definition }>;
const StartedFile = z.object({ run: z.string(), definition: z.unknown() });
const ProcessFile = z.object({ pid: z.number().int().positive(), startTime: z.string() });

/** Time limit of a start, in milliseconds, for a loaded host: QEMU is up in less than a second. */
const START_LIMIT_MS = 60_000;
/** Time limit of an end, in milliseconds: QEMU writes its caches first. */
const END_LIMIT_MS = 20_000;
const POLL_MS = 20;
const NEGOTIATION = '{"execute":"qmp_capabilities"}\n';

export const isOn = (session: QemuSession, uuid: string): Promise<boolean> => isListening(session.pathsOf(uuid).qmp);

/** Reads the start parameters of the last run, whether or not it still runs. */
export async function startedOf(session: QemuSession, uuid: string): Promise<Started | undefined> {
  const text = await readText(session.pathsOf(uuid).started);
  if (text === undefined) return undefined;
  const { run, definition } = StartedFile.parse(JSON.parse(text));
  return { run, definition: readDefinition(JSON.stringify(definition)) };
}

/** Starts a VM that is off, under its lock. QEMU reports when its guest runs, or why it does not: with `-daemonize` the
 * process started here ends only then, and the remaining process has no parent here.
 * @throws Error with QEMU's message */
export async function startProcess(session: QemuSession, definition: Definition): Promise<void> {
  const { uuid } = definition;
  const paths = session.pathsOf(uuid);
  const firmware = definition.firmware === "bios" ? undefined : await firmwareFor(definition.firmware);
  await clear(paths);
  await mkdir(paths.run, { recursive: true, mode: 0o700 });
  try {
    if (firmware) await copyOnce(firmware.variables, paths.variables);
    const started = { run: randomUUID(), definition: JSON.parse(writtenDefinition(definition)) };
    await writeWhole(paths.started, JSON.stringify(started));
    await writeFile(`${paths.events}.in`, NEGOTIATION, { mode: 0o600 });
    await writeFile(paths.eventLog, "", { mode: 0o600 });
    if (definition.tpm) await startTpm(paths);
    const args = commandLine(definition, { paths, firmware });
    const ended = await runToExit(session.binary, args, { timeoutMs: START_LIMIT_MS });
    if (ended.code !== 0) throw new Error(describeFailure(session.binary, ended, START_LIMIT_MS));
  } catch (error) {
    if (definition.tpm) await endTpm(paths);
    await clear(paths);
    throw error;
  }
  await rememberProcess(session, uuid);
}

/** Removes the files of the last run. */
async function clear({ run, eventLog }: VmPaths): Promise<void> {
  await rm(eventLog, { force: true });
  await rm(run, { recursive: true, force: true });
}

/** Copies a file unless it exists: the guest may have changed its copy. */
async function copyOnce(from: string, to: string): Promise<void> {
  if ((await readFile(to).catch(() => undefined))?.length) return;
  const made = `${to}.${randomUUID().slice(0, 8)}.new`;
  try {
    await copyFile(from, made);
    await rename(made, to);
  } finally {
    await rm(made, { force: true });
  }
}

async function rememberProcess(session: QemuSession, uuid: string): Promise<void> {
  const paths = session.pathsOf(uuid);
  const pid = Number(await readText(paths.pid));
  const startTime = pid > 0 ? await startTimeOf(pid) : undefined;
  if (startTime !== undefined) await writeWhole(paths.process, JSON.stringify({ pid, startTime }));
}

/** A process's start time, as the system prints it. Number and start time together identify a process uniquely. */
async function startTimeOf(pid: number): Promise<string | undefined> {
  if (process.platform === "linux") {
    const stat = await readText(`/proc/${pid}/stat`).catch(() => undefined);
    // The second field is the program's name in brackets, which may hold anything.
    return stat?.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  }
  const { code, stdout } = await runToExit("ps", ["-o", "lstart=", "-p", String(pid)], { timeoutMs: 5_000 });
  return code === 0 ? stdout.trim() : undefined;
}

/** Cuts the power: by QMP, which leaves the images intact, or, if QEMU does not answer, by killing its process.
 * @throws Error when the process still exists afterwards */
export async function endProcess(session: QemuSession, uuid: string): Promise<void> {
  const asked = session.withQmp(uuid, { timeoutMs: 5_000 }, (qmp) => qmp.execute("quit"));
  const refused = await asked.then(
    () => undefined,
    (error: unknown) => error,
  );
  // If the request may have arrived, QEMU gets time to write its caches.
  const heard = refused === undefined || (refused instanceof DomainError && refused.unanswered);
  if (await ends(session, uuid, heard ? END_LIMIT_MS : 1_000)) return;
  await killProcess(session, uuid);
  if (!(await ends(session, uuid, END_LIMIT_MS)))
    throw new Error("QEMU does not end, and its process cannot be identified", { cause: refused });
}

/** Kills the process only if it has the start time of the VM's process, since numbers are reused. */
async function killProcess(session: QemuSession, uuid: string): Promise<void> {
  const text = await readText(session.pathsOf(uuid).process);
  if (text === undefined) return;
  const { pid, startTime } = ProcessFile.parse(JSON.parse(text));
  if ((await startTimeOf(pid)) !== startTime) return;
  session.context.log(`QEMU of VM ${uuid} does not answer: its process ${pid} is killed`);
  process.kill(pid, "SIGKILL");
  await appendFile(session.pathsOf(uuid).eventLog, endingEvent("host-signal"));
}

async function ends(session: QemuSession, uuid: string, withinMs: number): Promise<boolean> {
  for (const until = Date.now() + withinMs; Date.now() < until; ) {
    if (!(await isOn(session, uuid))) return true;
    await sleep(POLL_MS);
  }
  return false;
}
