/** Keys of requests that may be sent again, with the answers to the first ones. */
import { Migration } from "@mikro-orm/migrations";

const statements = [
  `create table request_keys (
    key text not null primary key,
    request text not null,
    holder text not null,
    answer text,
    expires_at integer not null)`,
  "create index request_keys_by_age on request_keys (expires_at)",
];

export const idempotency = () => ({
  name: "20261125-idempotency",
  class: class extends Migration {
    override async up(): Promise<void> {
      for (const statement of statements) await this.execute(statement);
    }
  },
});
