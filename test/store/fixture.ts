/** What the store's tests share: a directory, sample values, and other processes in either runtime. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { DatabaseSync, type SQLInputValue } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished } from "vitest";
import type { Operation, Step } from "../../src/domain/changes/operation.ts";
import type { DomainEvent, EventType } from "../../src/domain/model/event.ts";
import type { Target } from "../../src/domain/model/vm.ts";
import type { VmRecord } from "../../src/domain/model/vm-record.ts";
import type { Settlement, Store } from "../../src/domain/ports/store.ts";
import { openDatabase, type SqliteDatabase } from "../../src/store/sqlite/database.ts";
import { migrations } from "../../src/store/sqlite/migrate.ts";
import { openSqliteStore, type SqliteStore, type SqliteStoreOptions } from "../../src/store/sqlite/store.ts";

export const target: Target = { connection: "local", uuid: "5e0a7a4e-54a5-4f0b-9d0c-4a6b6a1d2c01" };
export const asking = { actor: "cli", what: "set_boot_order" };

export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "bootwright-store-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** A store that is closed when the test has finished. */
export async function open(directory: string, options: Partial<SqliteStoreOptions> = {}): Promise<SqliteStore> {
  const store = await openSqliteStore({
    directory,
    imageDirectory: "/images",
    connection: "local",
    newId: () => crypto.randomUUID(),
    ...options,
  });
  onTestFinished(() => store.close());
  return store;
}

const oldVmDefaults = { connection: "local", imageDirectory: "/images", now: () => new Date() };

/** The database that a store stands on, closed when the test has finished. */
export async function openFile(directory: string, lockWaitMs = 5000): Promise<SqliteDatabase> {
  const database = await openDatabase(directory, oldVmDefaults, lockWaitMs);
  onTestFinished(() => database.close());
  return database;
}

/** The names of all migrations, oldest first. */
export const migrationNames = migrations.map((migration) => migration(oldVmDefaults).name);

export const databaseOf = (directory: string): string => join(directory, "bootwright.sqlite");

/** Runs SQL on the database file past the store and gives the last statement's rows. */
export function sql(directory: string, ...statements: string[]): Record<string, SQLInputValue>[] {
  const database = new DatabaseSync(databaseOf(directory), { timeout: 5000 });
  try {
    const last = statements.at(-1) ?? "";
    for (const statement of statements.slice(0, -1)) database.exec(statement);
    return database
      .prepare(last)
      .all()
      .map((row) => ({ ...row })) as Record<string, SQLInputValue>[];
  } finally {
    database.close();
  }
}

export const operation = (id: string, more: Partial<Operation> = {}): Operation => ({
  id,
  target,
  actor: "cli",
  what: "set_boot_order",
  direction: "forward",
  status: "begun",
  steps: [],
  begunAt: "2026-11-23T10:00:00.000Z",
  ...more,
});

/** A step of a change that names this drive. */
export const step = (drive: string): Step => ({
  change: { kind: "media.set", drive, force: false },
  summary: `empty CD-ROM drive ${drive}`,
  before: { target, disks: {}, isos: {} },
  goal: { target, disks: {}, isos: {} },
  artifacts: [],
  status: "planned",
});

export const record = (more: Partial<VmRecord> = {}): VmRecord => ({
  ...target,
  name: "web",
  roles: { systemDisk: "vda", isoDrive: "sda" },
  status: "NotInstalled",
  ownedFiles: ["/images/web.qcow2"],
  revision: 1,
  origin: "created",
  createdAt: "2026-11-23T10:00:00.000Z",
  updatedAt: "2026-11-23T10:00:00.000Z",
  ...more,
});

export const event = (id: string, type: EventType = "boot_order.changed"): DomainEvent => ({
  specversion: "1.0",
  id,
  source: "bootwright/local",
  type,
  subject: target.uuid,
  time: "2026-11-23T10:00:00.000Z",
  data: {},
});

/** Begins an operation and settles it. */
export async function run(
  store: Store,
  more: Partial<Operation> & Pick<Operation, "id">,
  settlement: Partial<Settlement> = {},
): Promise<void> {
  await store.begin(operation(more.id, more));
  await store.settle(more.id, { status: "applied", steps: more.steps ?? [], events: [], ...settlement });
}

export const refusal = (code: string, reason?: RegExp) =>
  expect.objectContaining({
    code,
    ...(reason && { details: expect.objectContaining({ reason: expect.stringMatching(reason) }) }),
  });

const shell = (command: string, ...args: string[]) => spawnSync(command, args, { encoding: "utf8" }).status === 0;

/** Whether this user may mount file systems, which takes root and a machine that lets it. */
export function canMount(): boolean {
  const directory = mkdtempSync(join(tmpdir(), "bootwright-mount-"));
  const mounted = shell("mount", "-t", "tmpfs", "tmpfs", directory) && shell("umount", directory);
  rmSync(directory, { recursive: true, force: true });
  return mounted;
}

/** A disk that can be made to fail: an ext4 file system in a file. `fail()` aborts its journal, after which Linux lets
 * nobody write to it, as after a real I/O error; `mend()` mounts it anew. */
export function failingDisk(): { directory: string; fail(): void; mend(): void } {
  const directory = temporaryDirectory();
  const image = join(temporaryDirectory(), "disk");
  const all = (...commands: [string, ...string[]][]) => {
    for (const command of commands) if (!shell(...command)) throw new Error(`Cannot ${command.join(" ")}`);
  };
  const mount: [string, ...string[]] = ["mount", "-o", "loop", image, directory];
  all(["truncate", "-s", "20m", image], ["mkfs.ext4", "-q", image], mount);
  onTestFinished(() => void shell("umount", "-l", directory));
  return {
    directory,
    fail: () => all(["mount", "-o", "remount,abort", directory]),
    mend: () => all(["umount", directory], mount),
  };
}

/** A disk in memory of this size. */
export function smallDisk(megabytes: number): string {
  const directory = temporaryDirectory();
  if (!shell("mount", "-t", "tmpfs", "-o", `size=${megabytes}m`, "tmpfs", directory)) throw new Error("Cannot mount");
  onTestFinished(() => void shell("umount", "-l", directory));
  return directory;
}

/** Writes a file until the disk is full, and gives the way to make room again. */
export function fill(directory: string): () => void {
  const path = join(directory, "fill");
  const descriptor = openSync(path, "w");
  try {
    while (true) writeSync(descriptor, Buffer.alloc(4096));
  } catch {
    return () => rmSync(path);
  } finally {
    closeSync(descriptor);
  }
}

export type Runtime = "node" | "deno";
const program = fileURLToPath(new URL("process.ts", import.meta.url));
const deno = fileURLToPath(new URL("../../node_modules/.bin/deno", import.meta.url));
const commands: Record<Runtime, readonly [string, ...string[]]> = {
  node: [process.execPath, program],
  deno: [deno, "run", "-A", "--no-check", "--quiet", program],
};

/** Another process that runs one command of `process.ts`. */
export class Other {
  readonly child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  /** It is killed when the test has finished, unless somebody else takes care of its end. */
  constructor(
    runtime: Runtime,
    args: readonly string[],
    identity: { uid?: number; gid?: number } = {},
    atEnd: (kill: () => void) => void = onTestFinished,
  ) {
    const [command, ...before] = commands[runtime];
    this.child = spawn(command, [...before, ...args], { stdio: ["pipe", "pipe", "inherit"], ...identity });
    this.#lines = createInterface({ input: this.child.stdout! })[Symbol.asyncIterator]();
    atEnd(() => void this.child.kill("SIGKILL"));
  }

  /** The next line it prints; `undefined` when it has ended. */
  async line(): Promise<string | undefined> {
    const { value, done } = await this.#lines.next();
    return done ? undefined : value;
  }

  /** Gives it one line to read. */
  say(line: string): void {
    this.child.stdin?.write(`${line}\n`);
  }

  /** Tells it to go on. */
  goOn(): void {
    this.child.stdin?.end();
  }

  /** SIGKILL: it cannot tidy up. */
  async kill(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const exit = once(this.child, "exit");
    this.child.kill("SIGKILL");
    await exit;
  }

  async ended(): Promise<number | null> {
    if (this.child.exitCode === null && this.child.signalCode === null) await once(this.child, "exit");
    return this.child.exitCode;
  }
}
