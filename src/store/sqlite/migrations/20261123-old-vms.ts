/** The VMs of the program before Bootwright (Go, GORM), in whatever shape its table `vms` has: without the new columns,
 * or after the plan's own SQL was run. Columns unknown to us stay in `vms`, and the whole original is kept aside. */
import { join } from "node:path";
import { type OldRow, type Refused, sorted } from "./20261123-old-rows.ts";

export type Run = (sql: string) => Promise<Record<string, unknown>[]>;

export type OldVmDefaults = Readonly<{ connection: string; imageDirectory: string; now: () => Date }>;

/** A table kept aside, with those of its columns that we do not know. */
export type Aside = Readonly<{
  table: string;
  columns: readonly string[];
  carried: readonly string[];
  extraColumns: string;
}>;

/** What became of the old rows; stored as the setting `upgrade`. */
export type Upgrade = Readonly<{ at: string; original: string; upgraded: number; aside: readonly Refused[] }>;

/** The old columns whose meaning we know. Every other old column of `vms` is carried over as it is. */
const known = [
  "uuid",
  "name",
  "installation_status",
  "disk_path",
  "disk_size",
  "boot_order",
  "boot_from_disk",
  "current_boot_device",
  "current_media",
  "created_at",
  "updated_at",
  "deleted_at",
];
/** Names that our own `vms` uses with a meaning that an old column of the same name need not have. */
const ours = [...known.slice(0, -1), "connection", "requested_order", "roles", "owned_files", "iso_identity"].concat([
  "current_run",
  "suggestion",
  "revision",
  "origin",
  "disk_size_bytes",
  "version",
]);

const name = (identifier: string): string => `"${identifier.replaceAll('"', '""')}"`;
const text = (value: string): string => `'${value.replaceAll("\0", "").replaceAll("'", "''")}'`;
const orNull = (value: string | undefined): string => (value === undefined ? "null" : text(value));

/** Renames the tables that stand where ours will. References from other tables, views and triggers follow the name. */
export async function keepAside(run: Run, tables: readonly string[]): Promise<Map<string, Aside>> {
  const all = (await run("select name from sqlite_master")).map((row) => String(row.name).toLowerCase());
  const aside = new Map<string, Aside>();
  for (const table of tables.filter((each) => all.includes(each))) {
    let free = `${table}_before_upgrade`;
    for (let number = 2; all.includes(free); number++) free = `${table}_before_upgrade_${number}`;
    await run(`alter table ${table} rename to ${free}`);
    const columns = await run(`select name, type from pragma_table_xinfo(${text(free)})`);
    const extra = columns.filter((column) => !ours.includes(String(column.name).toLowerCase()));
    aside.set(table, {
      table: free,
      columns: columns.map((column) => String(column.name).toLowerCase()),
      carried: extra.map((column) => String(column.name)),
      extraColumns: extra.map((column) => `${name(String(column.name))} ${column.type},`).join(""),
    });
  }
  return aside;
}

/** Makes a row of ours from each old row that names a VM, and says which rows do not. */
export async function carryOver(
  run: Run,
  aside: Aside,
  { connection, imageDirectory, now }: OldVmDefaults,
): Promise<void> {
  const selected = known.map((column) =>
    aside.columns.includes(column) ? `cast(${name(column)} as text) as ${column}` : `null as ${column}`,
  );
  // Through a copy, so that every row has a rowid. Values are cast, and unknown columns never pass through JavaScript:
  // it could not hold each of SQLite's integers.
  await run(`create table vms_upgrading as select * from ${aside.table}`);
  const rows = await run(`select cast(rowid as text) as row, ${selected.join(", ")} from vms_upgrading order by rowid`);
  const { kept, refused } = sorted(rows as unknown as OldRow[]);
  const at = now().toISOString();
  for (const vm of kept) {
    const values = {
      connection: text(connection),
      uuid: text(vm.uuid),
      name: text(vm.name),
      installation_status: text(vm.status),
      origin: "'migrated'",
      boot_order: text(vm.bootOrder),
      disk_path: text(vm.diskPath ?? join(imageDirectory, `${vm.writtenUuid}.qcow2`)),
      disk_size_bytes: `${vm.diskSizeGb} * 1073741824`,
      current_media: orNull(vm.media),
      current_boot_device: orNull(vm.bootDevice),
      created_at: text(vm.createdAt ?? at),
      updated_at: text(vm.updatedAt ?? at),
    };
    const carried = aside.carried.map(name);
    await run(
      `insert into vms (${[...Object.keys(values), ...carried].join(", ")})
       select ${[...Object.values(values), ...carried].join(", ")} from vms_upgrading where rowid = ${vm.row}`,
    );
  }
  await run("drop table vms_upgrading");
  const upgrade: Upgrade = { at, original: aside.table, upgraded: kept.length, aside: refused };
  await run(`insert into settings (key, value) values ('upgrade', ${text(JSON.stringify(upgrade))})`);
}
