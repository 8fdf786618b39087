/** What was last seen of each VM, how far each subscriber has been told, what it has not taken, and which process does what
 * only one may do. */
import { Migration } from "@mikro-orm/migrations";

const statements = [
  `create table sightings (
    connection text not null,
    uuid text not null,
    revision integer not null,
    body text not null,
    primary key (connection, uuid))`,
  `create table subscribers (
    name text not null primary key,
    place integer not null)`,
  `create table deliveries (
    subscriber text not null,
    seq integer not null,
    subject text not null,
    body text not null,
    attempts integer not null,
    state text not null check (state in ('waiting', 'dead')),
    at text not null,
    error text,
    primary key (subscriber, seq))`,
  `create table leases (
    task text not null primary key,
    holder text not null)`,
  "create index events_of_vm on events (subject, seq desc)",
  "create index deliveries_waiting on deliveries (subscriber, seq) where state = 'waiting'",
];

export const events = () => ({
  name: "20261125-events",
  class: class extends Migration {
    override async up(): Promise<void> {
      for (const statement of statements) await this.execute(statement);
    }
  },
});
