/** The acts of guests and other programs, which do not pass through the backend. They are no part of the plugin's contract. */

import type { DiskSeed, Guest, VmSeed } from "../../plugins/memory/config.ts";
import { advance, finishInstallation, powerOff, reboot } from "../../plugins/memory/guest.ts";
import { fileOf, writeFile } from "../../plugins/memory/images.ts";
import type { Machine, Session } from "../../plugins/memory/machine.ts";
import { notify } from "../../plugins/memory/notify.ts";
import { driveOf, normaliseDefinition, type VmDefinition, withMedium } from "../../src/plugin.ts";

/** @throws Error when there is no such VM */
export function machineOf(session: Session, uuid: string): Machine {
  advance(session);
  const machine = session.machines.get(uuid);
  if (!machine) throw new Error(`no VM ${uuid}`);
  return machine;
}

const runOf = (session: Session, uuid: string) => {
  const { run } = machineOf(session, uuid);
  if (!run) throw new Error(`VM ${uuid} is off`);
  return run;
};

/** Another program writes the next definition; a running VM goes on with the one that it has. */
export function editDefinition(session: Session, uuid: string, edit: (next: VmDefinition) => VmDefinition): void {
  const machine = machineOf(session, uuid);
  machine.next = normaliseDefinition(edit(machine.next));
  notify(session, uuid);
}

/** Another program changes a running VM alone, `change-media --live` for instance. */
export function editLive(session: Session, uuid: string, edit: (live: VmDefinition) => VmDefinition): void {
  const run = runOf(session, uuid);
  run.live = edit(run.live);
  notify(session, uuid);
}

/** Another program defines a VM. */
export function defineVm(
  session: Session,
  { running: _running, guest, next, ...seed }: Omit<VmSeed, "persistent" | "running"> & Partial<VmSeed>,
): void {
  session.machines.set(seed.uuid, {
    persistent: true,
    ...seed,
    next: normaliseDefinition(next),
    guest: { ...session.guest, ...guest },
  });
  notify(session, seed.uuid);
}

/** Another program removes a VM's definition: a running VM becomes transient, and is gone once it is off. */
export function undefineVm(session: Session, uuid: string): void {
  const machine = machineOf(session, uuid);
  machine.persistent = false;
  if (!machine.run) session.machines.delete(uuid);
  notify(session, uuid);
}

/** Another program renames it, or writes or removes its claim tag. */
export function setIdentity(
  session: Session,
  uuid: string,
  { name, claim }: Readonly<{ name?: string; claim?: Machine["claim"] | null }>,
): void {
  const machine = machineOf(session, uuid);
  if (name !== undefined) machine.name = name;
  if (claim === null) delete machine.claim;
  else if (claim) machine.claim = claim;
  notify(session, uuid);
}

/** Suspends the guest to disk: off, and the next start resumes it with the definition that it has now. */
export function saveState(session: Session, uuid: string): void {
  const machine = machineOf(session, uuid);
  machine.saved = runOf(session, uuid).live;
  powerOff(session, machine, "saved");
}

/** The hypervisor pauses the guest; without a reason it goes on. */
export function setPaused(session: Session, uuid: string, reason: string | undefined): void {
  const machine = machineOf(session, uuid);
  if (reason === undefined) delete machine.paused;
  else machine.paused = reason;
  notify(session, uuid);
}

/** A write fails where the host's file system is full, and the hypervisor pauses the guest. */
export function diskFails(session: Session, uuid: string, target: string, reason = "enospc"): void {
  const { id } = runOf(session, uuid);
  setPaused(session, uuid, "io_error");
  notify(session, uuid, { type: "io_error", run: id, target, reason });
}

/** The host's file system is about to be full. */
export function spaceRunsLow(session: Session, uuid: string, target: string, freeBytes: number): void {
  notify(session, uuid, { type: "space_low", run: runOf(session, uuid).id, target, freeBytes });
}

export function setGuest(session: Session, uuid: string, guest: Partial<Guest>): void {
  const machine = machineOf(session, uuid);
  machine.guest = { ...machine.guest, ...guest };
}

/** The guest's own eject: the tray opens, the source stays in both definitions, and a reset closes it again. */
export function guestEjects(session: Session, uuid: string, target: string): void {
  editLive(session, uuid, (live) => ({
    ...live,
    drives: live.drives.map((drive) => (drive.target === target ? { ...drive, tray: "open" } : drive)),
  }));
}

export function guestLocksTray(session: Session, uuid: string, target: string, locked = true): void {
  const run = runOf(session, uuid);
  if (!driveOf(run.live, target)) throw new Error(`VM ${uuid} has no drive ${target}`);
  if (locked) run.locked.add(target);
  else run.locked.delete(target);
}

/** The guest resets itself: the live order is tried again, whatever the next definition says. */
export const guestReboots = (session: Session, uuid: string): void => reboot(session, machineOf(session, uuid));

export const guestPowersOff = (session: Session, uuid: string): void =>
  powerOff(session, machineOf(session, uuid), "shutdown");

/** The hypervisor's process ends under the guest. */
export const guestCrashes = (session: Session, uuid: string): void =>
  powerOff(session, machineOf(session, uuid), "crashed");

/** The installer that is running is done. @throws Error when none is running */
export const guestInstalls = (session: Session, uuid: string): void =>
  finishInstallation(session, machineOf(session, uuid));

/** What the firmware of a running VM booted last, and how often an installer has run to its end. */
export function guestOf(
  session: Session,
  uuid: string,
): Readonly<{ booted: string; target?: string; installations: number }> {
  const { booted, installations } = runOf(session, uuid);
  return { booted: booted.what, ...(booted.target !== undefined && { target: booted.target }), installations };
}

/** Sets the guests' clock ahead. */
export function passTime(session: Session, ms: number): void {
  session.aheadMs += ms;
  advance(session);
}

/** Makes a disk image, or writes to the one of this path. */
export function putDisk(session: Session, disk: Pick<DiskSeed, "path"> & Partial<DiskSeed>): void {
  const seed = {
    format: "qcow2",
    virtualBytes: 20 * 1024 ** 3,
    content: "blank",
    bootsBios: false,
    bootsUefi: false,
    corrupt: false,
  } as const;
  writeFile(session, { ...seed, ...fileOf(session, "disk", disk.path), ...disk, kind: "disk" });
}

export const removeFile = (session: Session, path: string): boolean => session.files.delete(path);

/** Puts a medium into a live drive alone, or takes it out. */
export const insertLive = (session: Session, uuid: string, target: string, path: string | undefined): void =>
  editLive(session, uuid, (live) => withMedium(live, target, path));
