/** Operations as lists and retention need them. A backup comes last in its row, so that SQLite reaches every other
 * column without reading through it, and the indexes answer which operations are old without reading a row. */
import { Migration } from "@mikro-orm/migrations";

const columns =
  "id, connection, uuid, actor, what, direction, status, holder, begun_at, settled_at, error, steps, backup";

const statements = [
  "alter table operations rename to operations_before_listed",
  `create table operations (
    id text not null primary key,
    connection text not null,
    uuid text not null,
    actor text not null,
    what text not null,
    direction text not null check (direction in ('forward', 'back')),
    status text not null,
    holder text not null,
    begun_at text not null,
    settled_at text,
    error text,
    steps text not null,
    backup text)`,
  `insert into operations (${columns}) select ${columns} from operations_before_listed order by begun_at, id`,
  "drop table operations_before_listed",
  "create index operations_open on operations (connection, uuid, begun_at) where status in ('begun', 'unknown')",
  "create index operations_listed on operations (begun_at, id)",
  "create index operations_of_vm on operations (connection, uuid, begun_at desc, id desc, status)",
  "create index operations_backed_up on operations (connection, uuid, begun_at desc, id desc, status) where backup is not null",
];

export const listed = () => ({
  name: "20261124-listed",
  class: class extends Migration {
    override async up(): Promise<void> {
      for (const statement of statements) await this.execute(statement);
    }
  },
});
