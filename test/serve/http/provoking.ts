/** Servers in this process whose hosts, hypervisors and databases are as bad as a test wants them. */
import { writeFileSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { expect } from "vitest";
import type { Change } from "../../../src/domain/changes/catalogue.ts";
import { DomainError } from "../../../src/domain/error.ts";
import type { Backend } from "../../../src/domain/ports/backend.ts";
import type { Connections } from "../../../src/domain/ports/connections.ts";
import type { AppContext } from "../../../src/serve/app-context.ts";
import { openSqliteStore } from "../../../src/store/sqlite/store.ts";
import { allTools } from "../../../src/tools/catalogue.ts";
import { databaseOf } from "../../store/fixture.ts";
import type { HttpAnswer } from "../../support/http.ts";
import { type HttpHere, openHere, sessionOf } from "../../support/http-here.ts";
import { temporaryDirectory } from "../../support/memory.ts";
import { memoryBackend, type World, type WorldOptions, world } from "../../support/world.ts";
import { foreign, seedOf } from "../../tools/harness.ts";

export type Harness = HttpHere & Readonly<{ world: World }>;

export async function open(
  options: WorldOptions = {},
  session: (world: World) => Partial<AppContext> = () => ({}),
): Promise<Harness> {
  const made = await world(options);
  const unbounded = { burst: 1e6, perSecond: 1e6 };
  const here = await openHere(made, { rates: { changes: unbounded } }, session(made));
  return { ...here, world: made };
}

/** A server with a VM `web`, which is off and whose drive has an installer. */
export async function withVm(
  options?: WorldOptions,
  session?: (world: World) => Partial<AppContext>,
): Promise<Harness> {
  const harness = await open(options, session);
  const { status, body } = await harness.ask("POST", "/api/vms", { name: "web", iso_path: "installer.iso" });
  expect([status, body]).toEqual([201, expect.anything()]);
  return harness;
}

export async function withRunningVm(
  options?: WorldOptions,
  session?: (world: World) => Partial<AppContext>,
): Promise<Harness> {
  const harness = await withVm(options, session);
  expect((await harness.ask("POST", "/api/vms/web/start")).status).toBe(200);
  return harness;
}

export const broken = new DomainError("BACKEND_FAILED", {
  connection: "local",
  change: "any",
  reason: "internal error",
});

export const idIn = async ({ ask }: HttpHere): Promise<string> => (await ask("GET", "/api/vms/web")).body.uuid;
export const hd = { boot_order: "hd" };
export const accepted = { boot_order: "hd", accept: ["DISK_BLANK"] };

/** What a hypervisor or a host does to changes of one kind. */
export const doing = (kind: Change["kind"], apply: Backend["apply"]): WorldOptions => ({
  wrap: (real) => ({
    ...real,
    apply: (vm, change, context) =>
      change.kind === kind ? apply(vm, change, context) : real.apply(vm, change, context),
  }),
});
export const refusing = (kind: Change["kind"], error: Error) =>
  doing(kind, async () => {
    throw error;
  });

/** A backend that says nothing from when it is told to, or refuses to be looked at. */
export function failing(): WorldOptions & { from: (apply: Backend["apply"]) => void } {
  let apply: Backend["apply"] | undefined;
  let blind = false;
  return {
    from(next) {
      apply = next;
    },
    wrap: (real) => ({
      ...real,
      observe: async (...given) => {
        if (blind) throw new Error("the connection was lost");
        return real.observe(...given);
      },
      apply: async (...given) => {
        if (!apply) return real.apply(...given);
        blind = true;
        await apply(...given);
      },
    }),
  };
}

const outOf = (directory: string) => async () =>
  openSqliteStore({
    directory,
    imageDirectory: "/memory/images",
    connection: "local",
    now: () => new Date(),
    newId: () => crypto.randomUUID(),
  });

/** A server whose database is in this directory and is opened at the first call. */
export const onDatabase = (directory: string) =>
  open({}, (made) => {
    const { services } = sessionOf(made);
    return { services: { ...services, store: outOf(directory) } };
  });

export async function made(directory: string, statement: string): Promise<void> {
  await (await outOf(directory)()).close();
  const database = new DatabaseSync(databaseOf(directory));
  database.exec(statement);
  database.close();
}

/** Two connections, on both of which there is a VM `web`. */
export async function onTwo(capable: Partial<Backend["capabilities"]> = {}): Promise<Harness> {
  const other = await memoryBackend(seedOf(foreign(1, "web")), "lab");
  return withVm({}, (first) => {
    const second: Backend = { ...other.backend, capabilities: { ...other.backend.capabilities, ...capable } };
    const of = (name: string) => (name === "lab" ? second : first.backend);
    const connections: Connections = {
      names: ["local", "lab"],
      capabilities: (name) => of(name).capabilities,
      backend: async (name) => of(name),
    };
    const { services } = sessionOf(first);
    return { tools: allTools, services: { ...services, connections } };
  });
}

/** Cancels a job that has ended. */
export async function endedJob(): Promise<HttpAnswer> {
  const { ask, world: made } = await open();
  const at = new Date().toISOString();
  const job = { id: "job-1", kind: "test.copy", title: "Copy web", actor: "cli", input: {} };
  await made.store.addJob({ ...job, attempts: 1, status: "queued", startedAt: at, updatedAt: at }, []);
  await made.store.endJob(job.id, { status: "done" }, []);
  return ask("POST", `/api/jobs/${job.id}/cancel`, {});
}

/** Lists the VMs where the file of the database is something else. */
export async function listOnNoDatabase(): Promise<HttpAnswer> {
  const directory = temporaryDirectory();
  writeFileSync(databaseOf(directory), "This is a diary and not a database.\n".repeat(100));
  return (await onDatabase(directory)).ask("GET", "/api/vms");
}
