/** What an operation keeps of the VM is its definition, and the column says so. `schema` is the version of the journal's row:
 * rows from before have 1, and keep the state that
 * the operation began with in its first step. `name` is the VM's, by which the operations of a VM that is gone are found. */
import { Migration } from "@mikro-orm/migrations";

const nameOf = `coalesce(json_extract(steps, '$[0].before.vm.name'), json_extract(steps, '$[0].before.record.name'),
  json_extract(steps, '$[#-1].goal.vm.name'))`;
const statements = [
  "alter table operations rename column backup to definition",
  "alter table operations add column schema integer not null default 1",
  "alter table operations add column name text",
  "alter table operations add column state_before text",
  `update operations set name = ${nameOf}`,
  "create index operations_name on operations (name)",
];

export const definitions = () => ({
  name: "20261129-definitions",
  class: class extends Migration {
    override async up(): Promise<void> {
      for (const statement of statements) await this.execute(statement);
    }
  },
});
