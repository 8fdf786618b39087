// @module-tag process
import { existsSync } from "node:fs";
import { expect, test } from "vitest";
import type { Upgrade } from "../../../src/store/sqlite/migrations/20261123-old-vms.ts";
import { migrationNames, Other, open, sql, temporaryDirectory } from "../fixture.ts";

const uuids = [
  "0b7c1c1e-2f7e-4f7e-9a3a-000000000001",
  "0b7c1c1e-2f7e-4f7e-9a3a-000000000002",
  "0b7c1c1e-2f7e-4f7e-9a3a-000000000003",
] as const;
const gib = 2 ** 30;

/** What the database says became of the rows of an older program. */
function upgradeOf(directory: string): Upgrade | undefined {
  const [row] = sql(directory, "select value from settings where key = 'upgrade'");
  return row && JSON.parse(String(row.value));
}

/** The table as GORM makes it of the Go program's model, before the plan. */
const gorm = `create table vms (id integer primary key autoincrement, created_at datetime, updated_at datetime, deleted_at datetime,
  name text not null, uuid varchar(36), cpu integer default 2, memory integer default 2048, status varchar(20), owner_id integer)`;
const rows = `insert into vms (created_at, updated_at, name, uuid, cpu, memory, status, owner_id) values
  ('2024-05-01 09:30:00.123456789+09:00', '2024-06-01 00:00:00+00:00', 'web', '${uuids[0]}', 4, 8192, 'running', 9007199254740993),
  ('2024-05-02 09:30:00', null, '한글 "it''s"', '${uuids[1]}', 1, 512, 'stopped', null)`;

test("An old database without the plan's columns is upgraded in place, and no VM's real order is touched", async () => {
  const directory = temporaryDirectory();
  sql(
    directory,
    gorm,
    "create unique index idx_vms_uuid on vms (uuid)",
    "create table users (id integer primary key, vm integer references vms(id))",
    rows,
    "insert into users values (1, 1)",
    "select 1",
  );
  const store = await open(directory);
  expect(await store.record({ connection: "local", uuid: uuids[0] })).toEqual({
    connection: "local",
    uuid: uuids[0],
    name: "web",
    roles: {},
    status: "NotInstalled",
    ownedFiles: [],
    revision: 0,
    origin: "migrated",
    createdAt: "2024-05-01T00:30:00.123Z",
    updatedAt: "2024-06-01T00:00:00.000Z",
    seen: { bootOrder: "cdrom_hd", diskPath: `/images/${uuids[0]}.qcow2`, diskSizeBytes: 20 * gib },
  });
  expect((await store.records()).map(({ name }) => name)).toEqual(["web", `한글 "it's"`]);
  expect(upgradeOf(directory)).toMatchObject({ upgraded: 2, aside: [], original: "vms_before_upgrade" });
});

test("The plan's columns and indexes are there for whoever reads the table, and columns that nobody knows keep their values", async () => {
  const directory = temporaryDirectory();
  sql(directory, gorm, rows, "select 1");
  await open(directory);
  expect(
    sql(
      directory,
      `select installation_status, boot_order, boot_from_disk, disk_path, disk_size, id, cpu, memory, status,
    cast(owner_id as text) as owner from vms where name = 'web'`,
    ),
  ).toEqual([
    {
      installation_status: "NotInstalled",
      boot_order: "cdrom_hd",
      boot_from_disk: 0,
      disk_path: `/images/${uuids[0]}.qcow2`,
      disk_size: 20,
      id: 1,
      cpu: 4,
      memory: 8192,
      status: "running",
      owner: "9007199254740993",
    },
  ]);
  expect(sql(directory, "select count(*) as n, max(cpu) as cpu from vms_before_upgrade")).toEqual([{ n: 2, cpu: 4 }]);
  expect(
    sql(
      directory,
      "select name from sqlite_master where type = 'index' and tbl_name = 'vms' and sql is not null order by name",
    ),
  ).toEqual([{ name: "idx_vm_boot_from_disk" }, { name: "idx_vm_installation_status" }]);
});

test("A database on which the plan's own SQL was run keeps what it says", async () => {
  const directory = temporaryDirectory();
  sql(
    directory,
    gorm,
    rows,
    "alter table vms add column installation_status varchar(20) default 'NotInstalled'",
    "alter table vms add column boot_from_disk boolean default false",
    "alter table vms add column disk_path varchar(512)",
    "alter table vms add column disk_size integer default 20",
    "update vms set disk_path = '/path/to/vm/' || uuid || '.qcow2' where disk_path is null",
    "create index idx_vm_installation_status on vms(installation_status)",
    "create index idx_vm_boot_from_disk on vms(boot_from_disk)",
    "update vms set installation_status = 'Installed', boot_from_disk = 1, disk_size = 50 where name = 'web'",
    "select 1",
  );
  const store = await open(directory);
  const web = await store.record({ connection: "local", uuid: uuids[0] });
  expect(web).toMatchObject({
    status: "Installed",
    seen: { bootOrder: "hd", diskPath: `/path/to/vm/${uuids[0]}.qcow2`, diskSizeBytes: 50 * gib },
  });
  expect(web).not.toHaveProperty("requestedOrder");
  expect(sql(directory, "select boot_from_disk, disk_size from vms order by name")).toEqual([
    { boot_from_disk: 1, disk_size: 50 },
    { boot_from_disk: 0, disk_size: 20 },
  ]);
});

test("A database that the plan's finished program made keeps orders and media too; empty texts count as absent", async () => {
  const directory = temporaryDirectory();
  sql(
    directory,
    `create table vms (uuid text primary key, name text, installation_status varchar(20), disk_path varchar(512), disk_size integer,
      boot_order varchar(20), current_boot_device varchar(20), current_media text, version text, revision text) without rowid`,
    `insert into vms values ('${uuids[0]}', 'a', 'Installing', '', 0, 'hd_cdrom', 'hd', '/isos/x.iso', 'v9', 'r'),
      ('${uuids[1]}', 'b', '', '/d/b.qcow2', 30, '', '', '', null, null), ('${uuids[2]}', 'c', 'Broken', null, null, 'usb', null, null, null, null)`,
    "select 1",
  );
  const store = await open(directory);
  expect(await store.records()).toMatchObject([
    {
      name: "a",
      status: "Installing",
      revision: 0,
      seen: { bootOrder: "hd_cdrom", diskSizeBytes: 20 * gib, media: "/isos/x.iso", bootDevice: "hd" },
    },
    {
      name: "b",
      status: "NotInstalled",
      seen: { bootOrder: "cdrom_hd", diskPath: "/d/b.qcow2", diskSizeBytes: 30 * gib },
    },
    { name: "c", status: "NotInstalled", seen: { bootOrder: "cdrom_hd", diskPath: `/images/${uuids[2]}.qcow2` } },
  ]);
  expect(sql(directory, "select version from vms_before_upgrade where name = 'a'")).toEqual([{ version: "v9" }]);
});

test("Rows without a usable UUID, duplicates and deleted rows are kept aside and named", async () => {
  const directory = temporaryDirectory();
  sql(
    directory,
    gorm,
    `insert into vms (name, uuid, updated_at, deleted_at) values
      ('none', null, null, null), ('empty', ' ', null, null), ('bad', '../../etc/passwd', null, null),
      ('older', '${uuids[0]}', '2024-01-01 00:00:00', null), ('newest', '${uuids[0].toUpperCase()}', '2024-03-01 00:00:00', null),
      ('middle', '${uuids[0].replaceAll("-", "")}', '2024-02-01 00:00:00', null),
      ('gone', '${uuids[1]}', null, '2024-01-01 00:00:00'), ('kept', '${uuids[1]}', null, null)`,
    "select 1",
  );
  const store = await open(directory);
  const written = uuids[0].toUpperCase();
  expect(await store.records()).toMatchObject([
    { name: "kept", uuid: uuids[1] },
    { name: "newest", uuid: uuids[0], seen: { diskPath: `/images/${written}.qcow2` } },
  ]);
  expect(upgradeOf(directory)?.aside).toEqual([
    { name: "none", uuid: null, reason: "no_uuid" },
    { name: "empty", uuid: " ", reason: "no_uuid" },
    { name: "bad", uuid: "../../etc/passwd", reason: "invalid_uuid" },
    { name: "older", uuid: uuids[0], reason: "duplicate_uuid" },
    { name: "middle", uuid: uuids[0].replaceAll("-", ""), reason: "duplicate_uuid" },
    { name: "gone", uuid: uuids[1], reason: "deleted" },
  ]);
  expect(sql(directory, "select count(*) as n from vms_before_upgrade")).toEqual([{ n: 8 }]);
});

test("A table without any column that we know, and old tables with our names, do not stop the upgrade", async () => {
  const directory = temporaryDirectory();
  sql(
    directory,
    `create table VMs (id integer primary key, "we?ird ""name""" blob, title text)`,
    "insert into VMs values (1, x'00ff', 'x')",
    "create table events (id integer, what text)",
    "insert into events values (7, 'old')",
    "create table vms_before_upgrade (id integer)",
    "select 1",
  );
  const store = await open(directory);
  expect(upgradeOf(directory)).toMatchObject({
    upgraded: 0,
    original: "vms_before_upgrade_2",
    aside: [{ name: null, uuid: null, reason: "no_uuid" }],
  });
  expect(sql(directory, "select * from events_before_upgrade")).toEqual([{ id: 7, what: "old" }]);
  expect(await store.events()).toEqual([]);
});

test("An empty database has no upgrade to tell of", async () => {
  const directory = temporaryDirectory();
  await open(directory);
  expect(upgradeOf(directory)).toBeUndefined();
});

test.each([
  ["an empty", []],
  ["an old", [gorm, rows]],
] as const)("Processes of both runtimes that open %s database at one moment all succeed", async (kind, statements) => {
  for (let round = 0; round < 3; round++) {
    const directory = temporaryDirectory();
    if (statements.length > 0) sql(directory, ...statements, "select 1");
    const others = (["node", "deno", "node", "deno"] as const).map(
      (runtime) => new Other(runtime, ["open", directory]),
    );
    for (const other of others) expect(await other.line()).toBe("ready");
    for (const other of others) other.goOn();
    const count = kind === "an old" ? 2 : 0;
    for (const other of others) expect(await other.line()).toBe(`opened with ${count} VMs`);
    expect(sql(directory, "select name from mikro_orm_migrations")).toEqual(migrationNames.map((name) => ({ name })));
    expect(existsSync(`${directory}/bootwright.sqlite-journal`)).toBe(false);
  }
});

/** Goal: an upgrade happens whole or not at all. Method: a process that upgrades some thousand rows is killed at a
 * random moment, again and again, until one gets through. */
test("An upgrade that is killed half way leaves the old database to the next", async () => {
  const directory = temporaryDirectory();
  const series = "with recursive n(i) as (select 1 union all select i + 1 from n where i < 3000) select i from n";
  sql(
    directory,
    gorm,
    `insert into vms (name, uuid) select 'vm' || i, printf('0b7c1c1e-2f7e-4f7e-9a3a-%012d', i) from (${series})`,
    "select 1",
  );
  for (let round = 0; round < 8; round++) {
    const other = new Other("node", ["open", directory]);
    expect(await other.line()).toBe("ready");
    other.goOn();
    await new Promise((resolve) => setTimeout(resolve, round * 25));
    await other.kill();
    const [{ n } = {}] = sql(directory, "select count(*) as n from vms");
    expect(n).toBe(3000);
  }
  const store = await open(directory);
  expect(await store.records()).toHaveLength(3000);
  expect(upgradeOf(directory)).toMatchObject({ upgraded: 3000, original: "vms_before_upgrade" });
});

/** The operations of the first schema, with rows in every state. */
const listedBefore = [
  "drop table operations",
  "drop table operation_targets",
  `create table operations (id text not null primary key, connection text not null, uuid text not null, actor text not null,
    what text not null, direction text not null check (direction in ('forward', 'back')), status text not null,
    steps text not null, backup text, holder text not null, error text, begun_at text not null, settled_at text)`,
  `insert into operations values
    ('b', 'local', 'u', 'cli', 'x', 'forward', 'applied', '[]', '<domain/>', 'h', null, '2026-11-23T10:00:02.000Z', '2026-11-23T10:00:03.000Z'),
    ('a', 'local', 'u', 'cli', 'x', 'back', 'begun', '[]', null, 'h', '{"code":"C","message":"m"}', '2026-11-23T10:00:01.000Z', null)`,
  "delete from mikro_orm_migrations where name in ('20261124-listed', '20261129-definitions')",
];

test("A database of the first schema keeps its operations, definitions and what was left open", async () => {
  const directory = temporaryDirectory();
  await (await open(directory)).close();
  sql(directory, ...listedBefore, "select 1");
  const store = await open(directory);
  const common = { target: { connection: "local", uuid: "u" }, actor: "cli", what: "x", steps: [] };
  expect(await store.operation("b")).toEqual({
    ...common,
    id: "b",
    direction: "forward",
    status: "applied",
    definition: "<domain/>",
    begunAt: "2026-11-23T10:00:02.000Z",
    settledAt: "2026-11-23T10:00:03.000Z",
  });
  expect(await store.open()).toEqual([
    {
      ...common,
      id: "a",
      direction: "back",
      status: "begun",
      error: { code: "C", message: "m" },
      begunAt: "2026-11-23T10:00:01.000Z",
    },
  ]);
  await store.settle("a", { status: "rolled_back", steps: [], events: [] });
  expect((await store.operations({ limit: 9 })).map(({ id }) => id)).toEqual(["b", "a"]);
  const schema = (where: string) =>
    sql(where, "select name, sql from sqlite_master where name like '%operations%' order by name");
  const fresh = temporaryDirectory();
  await open(fresh);
  expect(schema(directory)).toEqual(schema(fresh));
});
