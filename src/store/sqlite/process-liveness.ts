/** Who is still alive. Each process that claims VMs holds an exclusive SQLite transaction on a small file of its own,
 * which the operating system ends with the process, however it ends; process numbers are reused, these are not.
 *
 * A POSIX lock belongs to the process and goes when *any* descriptor of the file is closed by it. So nothing here opens
 * a holder's file but through SQLite, which knows of this, and a process never looks at its own. */
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
    if (hasClosed) throw new Error("This process has given up its lock, and others may take it for dead by now");
    if (held) {
      refuseLost();
      return;
    }
    // Locked under another name first: a file that bears a holder's name and is not locked is a dead holder's.
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

  /** Without its file this process looks dead to the others, who may be at its VMs by now. */
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

/** Whether another process holds this file. A file that nobody holds is removed: its process is dead. */
function isLocked(path: string): boolean {
  if (!existsSync(path)) return false;
  let probe: DatabaseSync | undefined;
  try {
    // Reading takes a shared lock: it conflicts with the holder's, never with another process that looks as we do.
    probe = new DatabaseSync(path, { readOnly: true });
    failAtOnce(probe);
    probe.prepare("select count(*) from sqlite_master").get();
  } catch (error) {
    const fault = faultOf(error);
    if (fault === "busy") return true;
    // Removed between the two looks by somebody who found it dead.
    if (fault !== "cannot_open" || existsSync(path)) throw error;
  } finally {
    probe?.close();
  }
  removeDead(path);
  return false;
}

/** A file that cannot be removed (the disk became read-only, say) stays; as nobody has it locked, it is a dead one's. */
function removeDead(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // It stays, and is looked at again by whoever comes next.
  }
}

/** Removes what dead processes left behind that nobody asked about since. */
function sweep(directory: string): void {
  for (const name of readdirSync(directory)) {
    const path = join(directory, name);
    if (name.endsWith(".sqlite")) isLocked(path);
    else if (name.endsWith(".starting") && ageMsOf(path) > startingMsMax) removeDead(path);
  }
}

const ageMsOf = (path: string): number =>
  Date.now() - (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
