/** Measures one server process from outside: its heap after a collection, resident memory, open files, and the files of its
 * data directory. */
import { existsSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { serverPath } from "../support/client.ts";

const MIB = 2 ** 20;
const collector = fileURLToPath(new URL("endurance-gc.mjs", import.meta.url));

/** The command of a server whose heap can be measured. */
export const measuredCommand = [process.execPath, "--expose-gc", "--import", collector, serverPath];
export const heapFile = (data: string) => `${data}.heap`;
export const measuredEnv = (data: string) => ({ BOOTWRIGHT_TEST_HEAP: heapFile(data) });

export type Held = Readonly<{
  heapMib: number;
  rssMib: number;
  files: number;
  databaseMib: number;
  logMib: number;
  holders: number;
  rows: Readonly<Record<string, number>>;
}>;

const tables = ["operations", "events", "claims", "confirmations", "vms"];
const sizeOf = (path: string) => (existsSync(path) ? statSync(path).size / MIB : 0);
const rounded = (mib: number) => Math.round(mib * 10) / 10;

export async function heldBy(pid: number, data: string, measured = data): Promise<Held> {
  rmSync(heapFile(measured), { force: true });
  process.kill(pid, "SIGUSR2");
  while (!existsSync(heapFile(measured)) || readFileSync(heapFile(measured), "utf8") === "") await sleep(20);
  const heap = Number(readFileSync(heapFile(measured), "utf8"));
  rmSync(heapFile(measured));
  const path = join(data, "bootwright.sqlite");
  const database = new DatabaseSync(path, { readOnly: true });
  const count = (sql: string) => Number((database.prepare(sql).get() as { n: number }).n);
  const rows = Object.fromEntries(tables.map((table) => [table, count(`select count(*) as n from ${table}`)]));
  rows.definitions = count("select count(*) as n from operations where definition is not null");
  database.close();
  return {
    heapMib: rounded(heap / MIB),
    rssMib: Math.round(Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))![1]) / 1024),
    files: readdirSync(`/proc/${pid}/fd`).length,
    databaseMib: rounded(sizeOf(path)),
    logMib: rounded(sizeOf(`${path}-wal`)),
    holders: readdirSync(join(data, "holders")).length,
    rows,
  };
}

export const inWords = ({ heapMib, rssMib, files, databaseMib, logMib, holders, rows }: Held) =>
  `heap ${heapMib} MiB, resident ${rssMib} MiB, ${files} open files, database ${databaseMib} MiB, log ${logMib} MiB, ` +
  `${holders} holders, ${Object.entries(rows)
    .map(([name, some]) => `${some} ${name}`)
    .join(", ")}`;
