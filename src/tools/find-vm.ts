/** Finds the VM, or the connection, that a caller's reference names. */
import { z } from "zod";
import { within } from "../domain/deadline.ts";
import { DomainError } from "../domain/error.ts";
import type { Target } from "../domain/model/vm.ts";
import { nearestFirst } from "../domain/nearest.ts";
import type { Backend } from "../domain/ports/backend.ts";
import type { Store } from "../domain/ports/store.ts";
import type { ToolContext } from "./tool.ts";

export type FoundVm = Readonly<{
  backend: Backend;
  store: Store;
  target: Target;
  /** The connection did not answer. The VM was identified by the record alone. */
  unreachable?: Error;
}>;

const Uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** A read of one VM takes milliseconds, and a list of a thousand VMs about a second. */
const READ_TIMEOUT_MS = 5_000;

/** Limits a read of a hypervisor to less than the call's time, so that a hanging one blocks neither answers about other
 * connections nor an answer from the record. */
export const withReadTimeout = <T>({ call }: ToolContext, ask: (signal: AbortSignal) => Promise<T>): Promise<T> =>
  within(READ_TIMEOUT_MS, call.deadline.signal, ask);

/** @throws DomainError VM_NOT_FOUND, VM_AMBIGUOUS, BACKEND_UNAVAILABLE */
export async function findVm(context: ToolContext, ref: string): Promise<FoundVm> {
  const { connections } = context;
  const { inner, where } = parseRef(connections.names, ref);
  const store = await context.store();
  const unreachable: { connection: string; error: Error }[] = [];
  const hits: FoundVm[] = [];
  await Promise.all(
    where.map(async (connection) => {
      let backend: Backend | undefined;
      try {
        backend = await connections.backend(connection);
        const asked = backend;
        const uuid = await withReadTimeout(context, (signal) => uuidOf(asked, store, connection, inner, signal));
        if (uuid) hits.push({ backend, store, target: { connection, uuid } });
      } catch (thrown) {
        const error = thrown instanceof Error ? thrown : new Error(String(thrown));
        unreachable.push({ connection, error });
        // The record counts as a hit, so that a VM of the same name on another connection is not taken for this one.
        const uuid = await recordedUuid(store, connection, inner);
        if (backend && uuid) hits.push({ backend, store, target: { connection, uuid }, unreachable: error });
      }
    }),
  );
  if (hits.length === 1) return hits[0]!;
  if (hits.length > 1) {
    const candidates = hits.map(({ target }) => `${target.connection}/${Uuid.test(inner) ? target.uuid : inner}`);
    throw new DomainError("VM_AMBIGUOUS", { vm: ref, candidates: candidates.sort() });
  }
  if (unreachable.length === where.length && unreachable[0]) throw unreachable[0].error;
  const silent = unreachable.map(({ connection }) => connection);
  const answering = where.filter((connection) => !silent.includes(connection));
  throw new DomainError("VM_NOT_FOUND", {
    vm: ref,
    known: await knownNames(context, answering, inner),
    unreachable: silent,
  });
}

/** Finds a VM of which only history is left: by its UUID, or by its name when it was made or deleted. The latest VM of that
 * name counts. */
export async function pastVm({ connections, store }: ToolContext, ref: string): Promise<Target | undefined> {
  const { inner, where } = parseRef(connections.names, ref);
  const opened = await store();
  if (!Uuid.test(inner)) return opened.lastNamed(inner, where);
  for (const connection of where) {
    const target = { connection, uuid: inner.toLowerCase() };
    if ((await opened.operations({ target, limit: 1 })).length > 0) return target;
  }
  return undefined;
}

/** Finds a VM for its history, which outlives the VM. @throws DomainError as findVm() does */
export async function presentOrPastVm(context: ToolContext, ref: string): Promise<Target> {
  try {
    return (await findVm(context, ref)).target;
  } catch (error) {
    const past = error instanceof DomainError && error.code !== "VM_AMBIGUOUS" && (await pastVm(context, ref));
    if (!past) throw error;
    return past;
  }
}

/** A reference is a name or a UUID, with or without its connection: CONNECTION/NAME. */
function parseRef(names: readonly string[], ref: string): { inner: string; where: readonly string[] } {
  const slash = ref.indexOf("/");
  const named = slash > 0 && names.includes(ref.slice(0, slash));
  return named ? { inner: ref.slice(slash + 1), where: [ref.slice(0, slash)] } : { inner: ref, where: names };
}

/** Finds a VM that is only on record too, so that it can be repaired or deleted. */
async function uuidOf(
  backend: Backend,
  store: Store,
  connection: string,
  inner: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (Uuid.test(inner)) {
    const uuid = inner.toLowerCase();
    if (await store.record({ connection, uuid })) return uuid;
    return (await backend.observe(uuid, signal)) ? uuid : undefined;
  }
  return (await backend.lookup(inner, signal)) ?? recordedUuid(store, connection, inner);
}

const recordedUuid = async (store: Store, connection: string, name: string): Promise<string | undefined> =>
  (await store.records(connection)).find((record) => record.name === name)?.uuid;

/** The names of existing VMs, the nearest to the typed one first. The connection's name does not count for nearness. */
async function knownNames(context: ToolContext, where: readonly string[], typed: string): Promise<string[]> {
  const { connections } = context;
  const lists = await Promise.all(
    where.map(async (connection) => {
      const vms = await connections
        .backend(connection)
        .then((backend) => withReadTimeout(context, (signal) => backend.list(signal)))
        .catch(() => []);
      return vms.map(({ name }) => ({ name, shown: connections.names.length > 1 ? `${connection}/${name}` : name }));
    }),
  );
  const known = lists.flat();
  return nearestFirst(
    typed,
    known.map(({ name }) => name),
  ).flatMap((nearest) => known.filter(({ name }) => name === nearest).map(({ shown }) => shown));
}

export const connectionInput = z.string().max(64).optional().describe("Connection; default: the first configured one");

/** The backend of a connection, by default of the first one. @throws DomainError CONNECTION_NOT_FOUND */
export async function backendFor({ connections }: ToolContext, name: string | undefined): Promise<Backend> {
  const connection = name ?? connections.names[0];
  if (connection === undefined || !connections.names.includes(connection)) {
    throw new DomainError("CONNECTION_NOT_FOUND", { connection: connection ?? "", known: connections.names });
  }
  return connections.backend(connection);
}
