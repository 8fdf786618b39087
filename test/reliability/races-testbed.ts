/** Two servers on one database, and everything that they recorded: read from the database from outside while they work,
 * since only the newest operations of a VM stay. */
import { chmod, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { readJournalRow } from "../../src/domain/changes/journal.ts";
import { type Operation, plannedEnd } from "../../src/domain/changes/operation.ts";
import type { State } from "../../src/domain/model/state.ts";
import { type BootwrightClient, openClient, serverPath } from "../support/client.ts";
import { permissionsFor } from "../support/deno.ts";
import type { Testbed } from "../support/vm.ts";

export const settingsOf = ({ directory }: Pick<Testbed, "directory">): string[] => [
  ...["--data", join(directory, "data"), "--images", join(directory, "images"), "--iso-dir", join(directory, "isos")],
  ...["--connection", "local=libvirt,uri=qemu:///system"],
];

const denoPath = fileURLToPath(new URL("../../node_modules/.bin/deno", import.meta.url));

/** Opens one more server on the testbed's directories. */
export async function openBeside(
  testbed: Testbed,
  runtime: "node" | "deno",
  more: readonly string[],
): Promise<BootwrightClient> {
  const [cache, temporary] = [join(testbed.directory, "cache"), join(testbed.directory, "tmp")];
  await mkdir(temporary, { recursive: true });
  await chmod(temporary, 0o711);
  return openClient({
    settings: [...settingsOf(testbed), ...more],
    confirm: () => true,
    env: {
      XDG_CACHE_HOME: cache,
      XDG_CONFIG_HOME: testbed.directory,
      ...(runtime === "deno" && { TMPDIR: temporary, NO_COLOR: "1" }),
    },
    ...(runtime === "deno" && {
      command: [denoPath, "run", "--no-prompt", ...permissionsFor(testbed.directory, "libvirt"), serverPath],
    }),
  });
}

/** Makes one call on the command line. Returns its refusal, or undefined. */
export async function callOnce(
  testbed: Testbed,
  tool: string,
  args: object,
): Promise<{ answer?: unknown; error?: unknown }> {
  const line = [serverPath, ...settingsOf(testbed), "call", tool, "--json", JSON.stringify(args)];
  const { exitCode, stdout, stderr } = await execa(process.execPath, line, {
    reject: false,
    stdin: "ignore",
    timeout: 60_000,
    env: { XDG_CACHE_HOME: join(testbed.directory, "cache"), XDG_CONFIG_HOME: testbed.directory },
  });
  if (exitCode === 0) return { answer: JSON.parse(stdout) };
  if (exitCode === 1) return { error: JSON.parse(stdout).error };
  throw new Error(`${tool} ended with ${exitCode}: ${stderr}`);
}

export type Recorded = Pick<Operation, "id" | "status" | "steps" | "what" | "actor"> &
  Readonly<{
    place: number;
    uuid: string;
    /** The state that it began with, and the one that its steps lead to from there. */
    before: State;
    after: State;
  }>;

type Row = Omit<Recorded, "steps" | "before" | "after"> &
  Readonly<{ schema: number; connection: string; steps: string; before: string }>;

/** Collects every operation that has ended, in the order in which they were begun. */
export function chronicleOf(directory: string) {
  const database = new DatabaseSync(join(directory, "data", "bootwright.sqlite"), { readOnly: true });
  database.exec("pragma busy_timeout = 5000");
  const seen = new Map<string, Recorded>();
  const ended = database.prepare("select id from operations where status <> 'begun'");
  const one = database.prepare(
    `select rowid as place, id, connection, uuid, what, actor, status, schema, steps, state_before as "before"
      from operations where id = ?`,
  );
  const collect = () => {
    for (const { id } of ended.all() as { id: string }[]) {
      if (seen.has(id)) continue;
      const row = one.get(id) as unknown as Row | undefined;
      if (!row) continue;
      const { schema, connection, uuid } = row;
      const { steps, before } = readJournalRow({
        schema,
        steps: JSON.parse(row.steps),
        before: JSON.parse(row.before),
      });
      const after = plannedEnd({
        ...row,
        target: { connection, uuid },
        steps,
        before: before!,
      } as unknown as Operation);
      seen.set(id, { ...row, steps, before: before!, after });
    }
  };
  const timer = setInterval(collect, 250);
  const count = (sql: string) => Number((database.prepare(sql).get() as { n: number }).n);
  return {
    /** Returns what has been collected, oldest first. */
    operations(): Recorded[] {
      collect();
      return [...seen.values()].sort((a, b) => a.place - b.place);
    },
    claims: () => count("select count(*) as n from claims"),
    begun: () => count("select count(*) as n from operations where status = 'begun'"),
    version: (uuid: string) =>
      database.prepare("select * from vms where uuid = ?").get(uuid) as Record<string, unknown>,
    close() {
      clearInterval(timer);
      database.close();
    },
  };
}
