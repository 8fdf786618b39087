/** Jobs, which outlive the process that began them. */
import { Migration } from "@mikro-orm/migrations";

const statements = [
  `create table jobs (
    id text not null primary key,
    kind text not null,
    title text not null,
    actor text not null,
    connection text,
    uuid text,
    name text,
    input text not null,
    checkpoint text,
    attempts integer not null,
    status text not null check (status in ('queued', 'running', 'cancelling', 'done', 'failed', 'cancelled')),
    percent real,
    message text,
    result text,
    error text,
    holder text not null,
    started_at text not null,
    updated_at text not null,
    ended_at text)`,
  "create index jobs_listed on jobs (started_at, id)",
  "create index jobs_active on jobs (started_at) where status in ('queued', 'running', 'cancelling')",
  "create index jobs_of_vm on jobs (connection, uuid, started_at)",
];

export const jobs = () => ({
  name: "20261129-jobs",
  class: class extends Migration {
    override async up(): Promise<void> {
      for (const statement of statements) await this.execute(statement);
    }
  },
});
