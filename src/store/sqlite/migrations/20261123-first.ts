/** The first schema. A database of the program before Bootwright is upgraded in place: its tables of the same names are
 * kept aside whole, and its VMs are carried over. A migration that was published never changes, so this one takes
 * nothing from the domain: statuses and orders stand here as they were on its day. */
import { Migration } from "@mikro-orm/migrations";
import { carryOver, keepAside, type OldVmDefaults } from "./20261123-old-vms.ts";

const vms = `create table vms (
  connection text not null,
  uuid text not null,
  name text not null,
  installation_status text not null default 'NotInstalled'
    check (installation_status in ('NotInstalled', 'Installing', 'Installed', 'InstallationFailed')),
  requested_order text check (requested_order in ('cdrom_hd', 'hd', 'cdrom', 'hd_cdrom')),
  roles text not null default '{}',
  owned_files text not null default '[]',
  iso_identity text,
  current_run text,
  revision integer not null default 0,
  origin text not null check (origin in ('created', 'adopted', 'migrated')),
  boot_order text default 'cdrom_hd',
  boot_from_disk boolean generated always as (coalesce(boot_order in ('hd', 'hd_cdrom'), 0)) virtual,
  disk_path text,
  disk_size_bytes integer,
  disk_size integer generated always as (disk_size_bytes / 1073741824) virtual,
  current_media text,
  current_boot_device text,
  created_at text not null,
  updated_at text not null,
  version integer not null default 1,`;

const others = [
  `create table operations (
    id text not null primary key,
    connection text not null,
    uuid text not null,
    actor text not null,
    what text not null,
    direction text not null check (direction in ('forward', 'back')),
    status text not null,
    steps text not null,
    backup text,
    holder text not null,
    error text,
    begun_at text not null,
    settled_at text)`,
  `create table events (
    seq integer not null primary key autoincrement,
    id text not null,
    type text not null,
    subject text not null,
    time text not null,
    body text not null)`,
  `create table claims (
    connection text not null,
    uuid text not null,
    holder text not null,
    actor text not null,
    what text not null,
    since text not null,
    primary key (connection, uuid))`,
  `create table confirmations (hash text not null primary key, subject text not null, expires_at integer not null)`,
  `create table settings (key text not null primary key, value text not null)`,
];

const indexes = {
  idx_vm_installation_status: "index idx_vm_installation_status on vms (installation_status)",
  idx_vm_boot_from_disk: "index idx_vm_boot_from_disk on vms (boot_from_disk)",
  events_id: "unique index events_id on events (id)",
  // Almost every operation is settled; the few that are not are asked for before every change.
  operations_open:
    "index operations_open on operations (connection, uuid, begun_at) where status in ('begun', 'unknown')",
} as const;

const tables = ["vms", "operations", "events", "claims", "confirmations", "settings"] as const;

/** The migration as the migrator wants it: a class, which closes over what the upgrade of old rows needs to know. */
export const first = (defaults: OldVmDefaults) => ({
  name: "20261123-first",
  class: class extends Migration {
    override async up(): Promise<void> {
      const run = (sql: string) => this.execute(sql) as Promise<Record<string, unknown>[]>;
      // Index names are one name space for the whole database, and the seed's own SQL made two of these.
      for (const name of Object.keys(indexes)) await run(`drop index if exists ${name}`);
      const aside = await keepAside(run, tables);
      const old = aside.get("vms");
      await run(`${vms}${old ? old.extraColumns : ""} primary key (connection, uuid))`);
      for (const sql of others) await run(sql);
      for (const definition of Object.values(indexes)) await run(`create ${definition}`);
      if (old) await carryOver(run, old, defaults);
    }
  },
});
