/** Events of VMs, as hints. A VM's folder shows writes of its definition by any program; QEMU's event log shows the
 * machine's events. */
import { type FSWatcher, mkdirSync, statSync, watch as watchFile } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { Hint, Occurrence } from "../../src/plugin.ts";
import { uuidsIn } from "./definitions.ts";
import { type QmpEvent, readEvents } from "./event-log.ts";
import { isOn, startedOf } from "./process.ts";
import type { QemuSession } from "./session.ts";
import { machineSpace } from "./space.ts";
import { DEFINITION, EVENT_LOG, isUuid } from "./vm-paths.ts";

/** Milliseconds between two looks at running processes: a process that is killed writes nothing. */
const ALIVE_EVERY_MS = 1_000;
/** Milliseconds between two looks while QEMU is ending, after its last event. */
const END_POLL_MS = 20;

type Notify = (hint: Hint) => void;
type Space = ReturnType<typeof machineSpace>;
type Watched = Readonly<{ folder: string; begun: Promise<void>; alive: () => void; end: () => void }>;

/** Reports hints until the signal ends it or the session is closed. QEMU's earlier events are old: the VM is looked at
 * anyway, and an event that left no trace in it needs no action any more. */
export async function watchVms(session: QemuSession, notify: Notify, ends: AbortSignal): Promise<void> {
  const signal = AbortSignal.any([ends, session.closing.signal]);
  if (signal.aborted) return;
  mkdirSync(session.directory, { recursive: true, mode: 0o700 });
  const ending = Promise.withResolvers<void>();
  const stop = () => ending.resolve();
  signal.addEventListener("abort", stop, { once: true });
  const space = machineSpace(session, notify, signal);
  const vms = new Map<string, Watched>();
  /** Handles a VM's folder that may have appeared, vanished or been replaced. */
  const appear = (uuid: string, known: boolean) => {
    const folder = identityOf(session.pathsOf(uuid).home);
    if (folder === vms.get(uuid)?.folder) return;
    vms.get(uuid)?.end();
    vms.delete(uuid);
    const watched = folder === undefined ? undefined : watchVm(session, uuid, folder, { notify, space, known });
    if (watched) vms.set(uuid, watched);
  };
  let isListed = false;
  const folder = watchFile(session.directory, (_kind, name) => {
    if (name === null || !isUuid(name)) return;
    appear(name, !isListed);
    notify({ uuid: name });
  });
  folder.on("error", ending.reject);
  const beat = setInterval(() => {
    for (const { alive } of vms.values()) alive();
  }, ALIVE_EVERY_MS);
  try {
    for (const uuid of await uuidsIn(session)) appear(uuid, true);
    isListed = true;
    await Promise.all([...vms.values()].map(({ begun }) => begun));
    if (!signal.aborted) notify({});
    await ending.promise;
  } finally {
    signal.removeEventListener("abort", stop);
    clearInterval(beat);
    folder.close();
    for (const { end } of vms.values()) end();
  }
}

/** Identifies a folder by number and birth time: a new one may have the number of the previous one. */
function identityOf(path: string): string | undefined {
  const found = statSync(path, { throwIfNoEntry: false });
  return found && `${found.ino}:${found.birthtimeMs}`;
}

/** Watches one VM's folder; undefined when it is gone. The log of a VM that was `known` before begins with old
 * events. */
function watchVm(
  session: QemuSession,
  uuid: string,
  folder: string,
  { notify, space, known }: Readonly<{ notify: Notify; space: Space; known: boolean }>,
): Watched | undefined {
  const { home, eventLog } = session.pathsOf(uuid);
  const reader = readEvents(eventLog);
  let on: boolean | undefined;
  let over = false;
  let skip = known;
  let armed: string | undefined;
  let reading: Promise<void> = Promise.resolve();

  const look = async () => {
    const now = await isOn(session, uuid);
    if (over) return;
    if (now !== on && on !== undefined) notify({ uuid });
    if (!now) space.stopped(uuid);
    on = now;
  };
  const untilOff = async () => {
    while (!over && on !== false) {
      await look();
      await sleep(END_POLL_MS);
    }
  };
  const read = async () => {
    const { events, more } = await reader.read();
    const old = skip;
    skip = false;
    if (over || !more) return;
    // Lines that are no events count, too: QEMU's answer to the negotiation means that the machine is up.
    if (!old) notify({ uuid });
    await look();
    const run = (await startedOf(session, uuid))?.run;
    if (over || run === undefined) return;
    if (on && run !== armed) {
      armed = run;
      space.started({ uuid });
    }
    if (old) return;
    for (const event of events) {
      const occurrence = occurrenceOf(event, run);
      if (occurrence) notify({ uuid, occurrence });
      const passed = thresholdIn(event);
      if (passed) space.passed(uuid, passed.target, passed.thresholdBytes, passed.excessBytes);
    }
    if (events.some(({ event }) => event === "SHUTDOWN")) void untilOff().catch(() => undefined);
  };
  const readOn = () => {
    reading = reading.then(read).catch((error: Error) => session.context.log(`events of VM ${uuid}: ${error.message}`));
  };

  let watcher: FSWatcher;
  try {
    watcher = watchFile(home, (_kind, name) => {
      if (name === DEFINITION) notify({ uuid });
      if (name === EVENT_LOG) readOn();
    });
  } catch {
    // The folder was removed while it was being reported.
    return undefined;
  }
  watcher.on("error", () => watcher.close());
  readOn();
  return {
    folder,
    begun: reading,
    alive: () => void look().catch(() => undefined),
    end() {
      over = true;
      space.stopped(uuid);
      watcher.close();
    },
  };
}

/** The occurrence of an event that a later observation cannot see. */
export function occurrenceOf({ event, data }: QmpEvent, run: string): Occurrence | undefined {
  // QEMU reports a reset that ends the run as a shutdown.
  if ((event === "RESET" || event === "SHUTDOWN") && data.reason === "guest-reset") return { type: "rebooted", run };
  if (event !== "BLOCK_IO_ERROR") return undefined;
  // Named by the node that QEMU was given for the disk; a medium that was put in later has a name of QEMU's own.
  const target = /^(?:disk|medium)-(\w+)$/.exec(String(data["node-name"]))?.[1];
  const reason = data.nospace === true ? "enospc" : typeof data.reason === "string" ? data.reason : undefined;
  return { type: "io_error", run, ...(target !== undefined && { target }), ...(reason !== undefined && { reason }) };
}

/** A guest that wrote beyond the threshold in one of its disks' files. */
export function thresholdIn({ event, data }: QmpEvent) {
  const target = /^file-(\w+)$/.exec(String(data["node-name"]))?.[1];
  if (event !== "BLOCK_WRITE_THRESHOLD" || target === undefined) return undefined;
  const bytes = (key: string) => BigInt(Number(data[key]) || 0);
  return { target, thresholdBytes: bytes("write-threshold"), excessBytes: bytes("amount-exceeded") };
}
