/** Reads, compares and writes the definitions of a connection's VMs. */
import { mkdir, readdir, rm, unlink } from "node:fs/promises";
import { dirname } from "node:path";
import { type ApplyContext, DomainError, type Vm } from "../../src/plugin.ts";
import { type Definition, writtenDefinition } from "./definition.ts";
import { readText, syncDirectory, writeWhole } from "./file.ts";
import { NAMES, withLock } from "./lock.ts";
import { type Parsed, type QemuSession, requireOpen } from "./session.ts";
import { isUuid } from "./vm-paths.ts";

/** Lists the folders that could be a VM's, by UUID. */
export async function uuidsIn({ directory }: QemuSession): Promise<string[]> {
  const names = await readdir(directory).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw error;
  });
  return names.filter(isUuid).sort();
}

/** Reads a definition. @throws Error with the fault of the file */
export async function definitionOf(session: QemuSession, uuid: string): Promise<Parsed | undefined> {
  if (!isUuid(uuid)) return undefined;
  const path = session.pathsOf(uuid).definition;
  const text = await readText(path);
  if (text === undefined) return undefined;
  let parsed: Parsed;
  try {
    parsed = session.parse(text);
  } catch (error) {
    throw new Error(`Cannot read ${path}: ${(error as Error).message}`, { cause: error });
  }
  if (parsed.definition.uuid !== uuid)
    throw new Error(`Cannot read ${path}: it is the definition of VM ${parsed.definition.uuid}`);
  return parsed;
}

/** Reads every definition that can be read, and logs the others. */
export async function definitionsIn(session: QemuSession): Promise<Parsed[]> {
  const all = await Promise.all(
    (await uuidsIn(session)).map((uuid) =>
      definitionOf(session, uuid).catch((error: Error) => {
        session.context.log(error.message);
        return undefined;
      }),
    ),
  );
  return all.filter((one) => one !== undefined);
}

/** The definition right before a write, which must be the one that the operation was decided on.
 * @throws DomainError VM_CHANGED_MEANWHILE; BACKEND_UNAVAILABLE when the session is closed */
export async function requireUnchanged(
  session: QemuSession,
  { uuid, name }: Pick<Vm, "uuid" | "name">,
  { expect, signal }: Pick<ApplyContext, "expect" | "signal">,
): Promise<Definition> {
  requireOpen(session, signal);
  const found = await definitionOf(session, uuid);
  if (!found || (expect !== undefined && found.fingerprint !== expect))
    throw new DomainError("VM_CHANGED_MEANWHILE", { vm: name });
  return found.definition;
}

/** Compares and writes under the VM's lock, so that no other process of this backend writes in between.
 * @throws DomainError VM_CHANGED_MEANWHILE */
export const edit = (
  session: QemuSession,
  vm: Vm,
  context: ApplyContext,
  change: (definition: Definition) => Promise<Definition> | Definition,
): Promise<void> =>
  withLock(session.directory, vm.uuid, context.signal, async () => {
    const before = await requireUnchanged(session, vm, context);
    await write(session, await change(before));
  });

/** Runs the work while no other VM of this connection gets a name, and nothing else happens to this VM.
 * @throws DomainError VM_EXISTS when another VM has the name */
export const withNameLock = <T>(
  session: QemuSession,
  { uuid, name }: Readonly<{ uuid: string; name: string }>,
  signal: AbortSignal,
  work: () => Promise<T>,
): Promise<T> =>
  withLock(session.directory, NAMES, signal, async () => {
    const taken = (await definitionsIn(session)).find(
      ({ definition }) => definition.name === name && definition.uuid !== uuid,
    );
    if (taken) {
      const { connection } = session.context;
      throw new DomainError("VM_EXISTS", { name, connection, uuid: taken.definition.uuid });
    }
    return withLock(session.directory, uuid, signal, work);
  });

export async function write(session: QemuSession, definition: Definition): Promise<void> {
  const { home, definition: path } = session.pathsOf(definition.uuid);
  const made = await mkdir(home, { recursive: true, mode: 0o700 });
  await writeWhole(path, writtenDefinition(definition));
  if (made !== undefined) await syncDirectory(dirname(home));
}

/** Removes the definition and everything that is useless without it. */
export async function remove(session: QemuSession, uuid: string): Promise<void> {
  const { home, definition } = session.pathsOf(uuid);
  await unlink(definition);
  await syncDirectory(home);
  await rm(home, { recursive: true, force: true });
}
