/** The world of the sweep: where an operation starts from, as often as it is run, and everything there is to see of it
 * before and after. A memory backend that outlives the processes, and one real database that they share. */
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Session } from "../../plugins/memory/machine.ts";
import type { Operation } from "../../src/domain/changes/operation.ts";
import type { DomainEvent } from "../../src/domain/model/event.ts";
import type { Target, VmDefinition } from "../../src/domain/model/vm.ts";
import type { VmRecord } from "../../src/domain/model/vm-record.ts";
import type { Backend } from "../../src/domain/ports/backend.ts";
import type { Ports } from "../../src/domain/ports/operation-ports.ts";
import { openSqliteStore, type SqliteStore } from "../../src/store/sqlite/store.ts";
import { guestPrefix } from "../support/guest-names.ts";
import { memoryDirectory } from "../support/memory-directory.ts";
import { AT, memoryBackend } from "../support/world.ts";

/** The parts that outlive every process: the machines, and the directory of the database. */
export type Fixture = Readonly<{ session: Session; backend: Backend; directory: string }>;

/** One process: a store of its own, and ids that nobody else gives out. */
export type Process = Readonly<{ ports: Ports; store: SqliteStore; end: () => Promise<void> }>;

export async function openProcess(
  { backend, session, directory }: Fixture,
  number: number,
  passedMs = 0,
): Promise<Process> {
  let count = 0;
  const newId = () => `0000000${number}-0000-4000-8000-${String(++count).padStart(12, "0")}`;
  // What is written down is compared, and has no time of its own.
  const now = () => new Date(AT);
  const { imageDirectory } = session;
  const store = await openSqliteStore({
    directory,
    imageDirectory,
    connection: "local",
    now,
    newId: () => crypto.randomUUID(),
  });
  return {
    store,
    ports: { backend, store, newId, now: () => new Date(Date.parse(AT) + passedMs), claimWaitMs: 1_000 },
    end: () => store.close(),
  };
}

export type Template = Readonly<{
  at: Target;
  /** Makes the same beginning once more. */
  copy: () => Promise<Fixture>;
  removeCopy: (fixture: Fixture) => void;
  remove: () => void;
}>;

/** Prepares a beginning once, to be copied. */
export async function prepareFixture(
  prepare: (fixture: Fixture, process: Process) => Promise<Target>,
  config: Parameters<typeof memoryBackend>[0] = {},
): Promise<Template> {
  const newDirectory = () => mkdtempSync(join(memoryDirectory, `${guestPrefix}sweep-`));
  const first: Fixture = { ...(await memoryBackend(config)), directory: newDirectory() };
  const process = await openProcess(first, 1);
  const at = await prepare(first, process);
  await process.end();
  return {
    at,
    async copy() {
      const fixture: Fixture = { ...(await memoryBackend(config)), directory: newDirectory() };
      cpSync(first.directory, fixture.directory, { recursive: true });
      const { session } = fixture;
      session.files.clear();
      for (const [path, file] of structuredClone(first.session.files)) session.files.set(path, file);
      for (const [uuid, machine] of structuredClone(first.session.machines)) session.machines.set(uuid, machine);
      session.count = first.session.count;
      return fixture;
    },
    removeCopy: ({ directory }) => rmSync(directory, { recursive: true }),
    remove: () => rmSync(first.directory, { recursive: true }),
  };
}

/** The state of one VM, without what differs from one run to the next. */
export type Observation = Readonly<{
  vm?: Readonly<{
    name: string;
    next: VmDefinition;
    live?: VmDefinition;
    power: string;
    saved: boolean;
    claim: unknown;
  }>;
  record?: Readonly<Omit<VmRecord, "currentRun">> & { currentRun?: unknown };
  /** Every disk image, by its path, with its size. */
  files: Readonly<Record<string, number>>;
}>;

export async function observationOf({ session }: Fixture, store: SqliteStore, at: Target): Promise<Observation> {
  const machine = session.machines.get(at.uuid);
  const record = await store.record(at);
  const files = [...session.files.values()].filter(({ kind }) => kind === "disk");
  const sameRun = record?.currentRun !== undefined && record.currentRun.run === machine?.run?.id;
  return structuredClone({
    ...(machine && {
      vm: {
        name: machine.name,
        next: machine.next,
        ...(machine.run && { live: machine.run.live }),
        power: machine.run ? "running" : "off",
        saved: machine.saved !== undefined,
        claim: machine.claim,
      },
    }),
    ...(record && {
      record: {
        ...record,
        ...(record.currentRun && { currentRun: { ...record.currentRun, run: sameRun ? "this" : "another" } }),
      },
    }),
    files: Object.fromEntries(
      files
        .map((file) => [file.path, file.kind === "disk" ? file.virtualBytes : 0] as const)
        .sort(([a], [b]) => (a < b ? -1 : 1)),
    ),
  });
}

/** The operations on a VM that this process began, and their events, in the order in which they were written. */
export async function historyOf(
  store: SqliteStore,
  at: Target,
  before: ReadonlySet<string>,
): Promise<{ operations: Operation[]; events: DomainEvent[] }> {
  const operations = (await store.operations({ target: at, limit: 100 })).filter(({ id }) => !before.has(id));
  const ids = new Set(operations.map(({ id }) => id));
  const events = (await store.events()).map(({ event }) => event);
  return { operations, events: events.filter(({ data }) => ids.has(String(data.operation))) };
}
