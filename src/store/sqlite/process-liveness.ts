/** The liveness of processes. Each process that claims VMs holds an exclusive SQLite transaction on a small file of its
 * own, which the operating system ends with the process, however it ends. Unlike process numbers, these files are not
 * reused.
 *
 * A POSIX lock belongs to the process and is dropped when the process closes *any* descriptor of the file. So a
 * holder's file is opened only through SQLite, which handles this, and a process never checks its own. */
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { DomainError } from "../../domain/error.ts";
import type { Liveness } from "../ports.ts";
import { fileIdentity } from "./file-identity.ts";
import { createFile, failAtOnce, lockExclusively } from "./lock.ts";
import { asDomainError, faultOf } from "./sqlite-errors.ts";

const startingMsMax = 60_000;
const safeId = /^[\w-]{1,100}$/;

export function createProcessLiveness(directory: string, id: string): Liveness {
  const pathOf = (holder: string) => join(directory, `${holder}.sqlite`);
  let held: DatabaseSync | undefined;
  let identity: string | undefined;
  let hasClosed = false;

  const isAlive = async (holder: string): Promise<boolean> => {
    if (holder === id) return true;
    return safeId.test(holder) && isLocked(pathOf(holder));
  };

  const hold = async (): Promise<void> => {
    if (hasClosed) throw new Error("This process has released its lock, and others may count it as dead by now");
    if (held) {
      refuseLost();
      return;
    }
    // Locked under another name first: an unlocked file with a holder's name means a dead holder.
    const starting = join(directory, `${id}.starting`);
    try {
      mkdirSync(directory, { recursive: true, mode: 0o700 });
      sweep(directory);
      createFile(starting);
      const locked = lockExclusively(starting);
      renameSync(starting, pathOf(id));
      held = locked;
      identity = fileIdentity(pathOf(id));
    } catch (error) {
      throw asDomainError(error, starting);
    }
  };

  /** Without its file this process counts as dead, and others may work on its VMs by now. */
  const refuseLost = (): void => {
    const path = pathOf(id);
    if (fileIdentity(path) === identity) return;
    const reason = "it was deleted while this process had it locked; start Bootwright again";
    throw new DomainError("STORE_UNAVAILABLE", { path, reason });
  };

  const close = async (): Promise<void> => {
    hasClosed = true;
    if (!held) return;
    removeDead(pathOf(id));
    held.close();
    held = undefined;
  };

  return { id, hold, isHeld: () => held !== undefined, isAlive, close };
}

/** Whether another process holds this file. An unheld file is removed, since its process is dead. */
function isLocked(path: string): boolean {
  if (!existsSync(path)) return false;
  let probe: DatabaseSync | undefined;
  try {
    // Reading takes a shared lock, which conflicts with the holder's and never with another reader's.
    probe = new DatabaseSync(path, { readOnly: true });
    failAtOnce(probe);
    probe.prepare("select count(*) from sqlite_master").get();
  } catch (error) {
    const fault = faultOf(error);
    if (fault === "busy") return true;
    // Another process found it dead and removed it between the two looks.
    if (fault !== "cannot_open" || existsSync(path)) throw error;
  } finally {
    probe?.close();
  }
  removeDead(path);
  return false;
}

/** Removes the file of a dead process. If that fails (a disk became read-only, for example), the file stays unlocked,
 * and so still counts as dead. */
function removeDead(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // The file stays, and the next check tries again.
  }
}

/** Removes the files of dead processes that no other check has removed. */
function sweep(directory: string): void {
  for (const name of readdirSync(directory)) {
    const path = join(directory, name);
    if (name.endsWith(".sqlite")) isLocked(path);
    else if (name.endsWith(".starting") && ageMsOf(path) > startingMsMax) removeDead(path);
  }
}

const ageMsOf = (path: string): number =>
  Date.now() - (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
