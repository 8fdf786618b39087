/** When a subscriber was last served: one that nobody serves any more must not hold events back for ever. Those on record
 * are given their time from now on. */
import { Migration } from "@mikro-orm/migrations";

const statements = [
  "alter table subscribers add column served_at text not null default ''",
  "update subscribers set served_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now')",
];

export const served = () => ({
  name: "20261126-served",
  class: class extends Migration {
    override async up(): Promise<void> {
      for (const statement of statements) await this.execute(statement);
    }
  },
});
