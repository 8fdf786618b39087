/** What the store's tests share: a directory, sample values, and other processes in either runtime. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { DatabaseSync, type SQLInputValue } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";
import type { DomainEvent, EventType } from "../../src/domain/event.ts";
import type { Operation, Step } from "../../src/domain/operation.ts";
import type { Target, VmRecord } from "../../src/domain/vm.ts";
import { type OpenStore, openStore, type StoreOptions } from "../../src/store/store.ts";

export const target: Target = { connection: "local", uuid: "5e0a7a4e-54a5-4f0b-9d0c-4a6b6a1d2c01" };
export const asking = { actor: "cli", what: "set_boot_order" };

export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "bootwright-store-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** A store that is closed when the test has finished. */
export async function open(directory: string, options: Partial<StoreOptions> = {}): Promise<OpenStore> {
  const store = await openStore({
    directory,
    imageDirectory: "/images",
    connection: "local",
    newId: () => crypto.randomUUID(),
    ...options,
  });
  onTestFinished(() => store.close());
  return store;
}

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

/** A step that says enough to be told from another. */
export const step = (name: string): Step =>
  ({ change: { kind: name }, artifacts: [], status: "planned" }) as unknown as Step;

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

  constructor(runtime: Runtime, args: readonly string[], identity: { uid?: number; gid?: number } = {}) {
    const [command, ...before] = commands[runtime];
    this.child = spawn(command, [...before, ...args], { stdio: ["pipe", "pipe", "inherit"], ...identity });
    this.#lines = createInterface({ input: this.child.stdout! })[Symbol.asyncIterator]();
    onTestFinished(() => void this.child.kill("SIGKILL"));
  }

  /** The next line it prints; `undefined` when it has ended. */
  async line(): Promise<string | undefined> {
    const { value, done } = await this.#lines.next();
    return done ? undefined : value;
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
