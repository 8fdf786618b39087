/** The guest of a VM: firmware, an installer, the installed system. The firmware implements the observed behaviour of
 * SeaBIOS and OVMF a second time and independently, so that a mistake in the domain's boot rules shows. */
import { bootSequence, DomainError, diskOf, driveOf, type StopReason, type VmDefinition } from "../../src/plugin.ts";
import { contentOf, fileAt, fileOf, usersOf, walk, writeFile } from "./images.ts";
import { type Booted, type Machine, nowOf, type Run, type Session } from "./machine.ts";
import { notify } from "./notify.ts";

/** More bytes than firmware reads while it probes devices, and fewer. */
const BOOTED_BYTES = 4 * 1024 ** 2;
const LOOKED_AT_BYTES = 2_048;
const INSTALLER_BYTES = 400 * 1024 ** 2;
const STEP_MS = 20;

/** Starts the VM from its next definition, or resumes its saved state with the definition that it was saved with.
 * @throws Error with a hypervisor's message when a file is missing or in use */
export function startMachine(session: Session, machine: Machine, purpose: string): void {
  const live = machine.saved ?? machine.next;
  for (const { path } of live.drives) {
    if (path !== undefined && !fileAt(session, path))
      throw new Error(`Cannot access storage file '${path}': No such file or directory`);
  }
  for (const { path, shareable } of live.disks) {
    if (path === undefined) continue;
    const { missing } = walk(session, path);
    if (missing !== undefined) throw new Error(`Cannot access storage file '${missing}': No such file or directory`);
    if (usersOf(session, path).length && !shareable)
      throw new Error(`Failed to get "write" lock: is another process using the image [${path}]?`);
  }
  const resumed = machine.saved !== undefined;
  delete machine.saved;
  machine.run = {
    id: `${machine.uuid}/${++session.count}`,
    purpose,
    live,
    readBytes: {},
    booted: { what: "nothing" },
    locked: new Set(),
    installations: 0,
    agent: false,
  };
  delete machine.stopReason;
  // The booted system was saved, too, so no firmware runs. Its kind is unknown; a system is the best guess.
  if (resumed) machine.run.booted = { what: "system" };
  else boot(session, machine, machine.run);
  expectAgent(session, machine, machine.run);
  notify(session, machine.uuid);
}

/** A reset by the guest itself: the same run and the same live definition, and trays close again. */
export function reboot(session: Session, machine: Machine): void {
  const { run } = machine;
  if (!run) throw new Error("domain is not running");
  if (run.live.resetEndsRun) {
    notify(session, machine.uuid, { type: "rebooted", run: run.id });
    powerOff(session, machine, "shutdown");
    return;
  }
  run.live = { ...run.live, drives: run.live.drives.map((drive) => ({ ...drive, tray: "closed" })) };
  boot(session, machine, run);
  expectAgent(session, machine, run);
  notify(session, machine.uuid, { type: "rebooted", run: run.id });
}

export function powerOff(session: Session, machine: Machine, reason: StopReason): void {
  machine.stopReason = reason;
  delete machine.run;
  delete machine.paused;
  if (!machine.persistent) session.machines.delete(machine.uuid);
  notify(session, machine.uuid);
}

function expectAgent(session: Session, { guest }: Machine, run: Run): void {
  const { what } = run.booted;
  const runsAgent = what === "system" || (guest.mediumRunsAgent && (what === "live" || what === "installer"));
  run.agent = false;
  delete run.agentAtMs;
  if (runsAgent && guest.agentAfterMs !== "never") run.agentAtMs = nowOf(session) + guest.agentAfterMs;
}

function boot(session: Session, machine: Machine, run: Run): void {
  run.booted = firmware(session, run);
  run.locked = new Set(
    machine.guest.locksTray && run.booted.target && driveOf(run.live, run.booted.target) ? [run.booted.target] : [],
  );
  delete run.installedAtMs;
  const { installsAfterMs } = machine.guest;
  // An installer that starts again after it was done waits for a person: that is the loop.
  if (
    run.booted.what === "installer" &&
    run.purpose === "install" &&
    run.installations === 0 &&
    installsAfterMs !== "never"
  ) {
    run.installedAtMs = nowOf(session) + installsAfterMs;
  }
}

/** Tries the devices of the live order, first to last; an empty tray or a blank disk falls through to the next. */
function firmware(session: Session, { live, readBytes }: Run): Booted {
  if (live.directKernel) return { what: "system" };
  const read = (target: string, bytes: number) => {
    readBytes[target] = (readBytes[target] ?? 0) + bytes;
  };
  for (const device of bootSequence(live)) {
    const target = device.slice(device.indexOf(":") + 1);
    const path = (device.startsWith("disk:") ? diskOf(live, target) : driveOf(live, target))?.path;
    if (path === undefined) continue;
    const what = device.startsWith("disk:") ? onDisk(session, path, live) : onMedium(session, path, live);
    read(target, what === undefined ? LOOKED_AT_BYTES : BOOTED_BYTES);
    if (what !== undefined) return { what, target };
  }
  return { what: "nothing" };
}

function onDisk(session: Session, path: string, { firmware: kind }: VmDefinition): Booted["what"] | undefined {
  const content = contentOf(session, path);
  if (content?.content !== "data") return undefined;
  if (kind !== "bios") return content.bootsUefi ? "system" : undefined;
  // SeaBIOS jumps into the protective MBR of a disk that was installed for UEFI, and hangs there.
  return content.bootsBios ? "system" : content.bootsUefi ? "hung" : undefined;
}

function onMedium(session: Session, path: string, { firmware: kind }: VmDefinition): Booted["what"] | undefined {
  const file = fileOf(session, "iso", path);
  if (file?.state !== "ok" || !(kind === "bios" ? file.bootsBios : file.bootsUefi)) return undefined;
  if (kind === "uefi_secure" && file.signed !== true) return undefined;
  return file.installs ? "installer" : "live";
}

/** The installer has put a system on the disk, for the firmware that it was booted by.
 * @throws Error when no installer is running */
export function finishInstallation(session: Session, machine: Machine): void {
  const { run } = machine;
  const drive = run?.booted.target;
  if (run?.booted.what !== "installer" || drive === undefined)
    throw new Error(`no installer is running in ${machine.name}`);
  const ordered = bootSequence(run.live).map((device) => diskOf(run.live, device.slice("disk:".length)));
  const disk = [...ordered, ...run.live.disks].find(
    (candidate) => candidate?.path !== undefined && !candidate.readOnly,
  );
  const file = disk?.path === undefined ? undefined : fileOf(session, "disk", disk.path);
  delete run.installedAtMs;
  run.installations += 1;
  run.readBytes[drive] = (run.readBytes[drive] ?? 0) + INSTALLER_BYTES;
  if (file) {
    const bios = run.live.firmware === "bios";
    writeFile(session, { ...file, content: "data", bootsBios: bios, bootsUefi: !bios });
  }
  if (machine.guest.rebootsWhenInstalled) reboot(session, machine);
  else notify(session, machine.uuid);
}

/** Brings the guests up to the present time. Every observation calls it, so a timer is needed only during a watch. */
export function advance(session: Session): void {
  const now = nowOf(session);
  for (const machine of session.machines.values()) {
    if (machine.paused !== undefined) continue;
    if ((machine.run?.installedAtMs ?? Number.POSITIVE_INFINITY) <= now) finishInstallation(session, machine);
    const { run } = machine;
    if (!run || (run.agentAtMs ?? Number.POSITIVE_INFINITY) > now) continue;
    delete run.agentAtMs;
    run.agent = true;
    // By then the system has read a good part of itself.
    const { target } = run.booted;
    if (target !== undefined) run.readBytes[target] = (run.readBytes[target] ?? 0) + BOOTED_BYTES;
    notify(session, machine.uuid);
  }
}

/** The next time at which a guest does something by itself. */
export function nextDueOf(session: Session): number | undefined {
  const active = [...session.machines.values()].filter(({ paused }) => paused === undefined);
  const due = active.flatMap(({ run }) => [run?.installedAtMs ?? [], run?.agentAtMs ?? []].flat());
  return due.length ? Math.min(...due) : undefined;
}

const honoursShutdown = ({ guest, run }: Machine): boolean => {
  const what = run?.booted.what;
  return what === "system"
    ? guest.honoursShutdown
    : what === "installer" || what === "live"
      ? guest.installerHonoursShutdown
      : false;
};

/** Presses the power button and waits until the VM is off.
 * @throws DomainError SHUTDOWN_TIMED_OUT; the signal's reason */
export async function shutDown(
  session: Session,
  machine: Machine,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<void> {
  const { run } = machine;
  const pressedAtMs = nowOf(session);
  for (;;) {
    advance(session);
    if (machine.run !== run) return;
    const waitedMs = nowOf(session) - pressedAtMs;
    if (honoursShutdown(machine) && waitedMs >= machine.guest.shutdownMs) return powerOff(session, machine, "shutdown");
    if (waitedMs >= timeoutMs) throw new DomainError("SHUTDOWN_TIMED_OUT", { vm: machine.name, waitedMs: timeoutMs });
    await pause(Math.min(STEP_MS, timeoutMs - waitedMs), signal);
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", stop);
      resolve();
    }, ms);
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop, { once: true });
  });
}
