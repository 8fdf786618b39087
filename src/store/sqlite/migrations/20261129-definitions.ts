/** What an operation keeps of the VM is its definition, and the column says so. It comes last in its row, so that SQLite
 * reaches every other column without reading through it. `schema` is the version of the journal's row: rows from before
 * have 1, and keep the state that the operation began with in their first step. `name` is the VM's, by which the operations
 * of one that is gone are found. `operation_targets` has what an operation holds beside the VM that it is about. */
import { Migration } from "@mikro-orm/migrations";

const same = "id, connection, uuid, actor, what, direction, status, holder, begun_at, settled_at, error, steps";
const nameOf = `coalesce(json_extract(steps, '$[0].before.vm.name'), json_extract(steps, '$[0].before.record.name'),
  json_extract(steps, '$[#-1].goal.vm.name'))`;

const statements = [
  "alter table operations rename to operations_before_definitions",
  `create table operations (
    id text not null primary key,
    schema integer not null,
    connection text not null,
    uuid text not null,
    name text,
    actor text not null,
    what text not null,
    direction text not null check (direction in ('forward', 'back')),
    status text not null,
    holder text not null,
    begun_at text not null,
    settled_at text,
    error text,
    state_before text,
    steps text not null,
    definition text)`,
  `insert into operations (${same}, schema, name, definition)
    select ${same}, 1, ${nameOf}, backup from operations_before_definitions order by begun_at, id`,
  "drop table operations_before_definitions",
  "create index operations_open on operations (connection, uuid, begun_at) where status in ('begun', 'unknown')",
  "create index operations_listed on operations (begun_at, id)",
  "create index operations_of_vm on operations (connection, uuid, begun_at desc, id desc, status)",
  `create index operations_with_definition on operations (connection, uuid, begun_at desc, id desc, status)
    where definition is not null`,
  "create index operations_name on operations (name)",
  `create table operation_targets (
    operation text not null, connection text not null, uuid text not null, primary key (operation, connection, uuid)
  ) without rowid`,
  "create index operation_targets_target on operation_targets (connection, uuid)",
];

export const definitions = () => ({
  name: "20261129-definitions",
  class: class extends Migration {
    override async up(): Promise<void> {
      for (const statement of statements) await this.execute(statement);
    }
  },
});
