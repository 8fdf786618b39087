/** By the definition's fingerprint another program's edit is known that changes neither tag nor order. */
import { Migration } from "@mikro-orm/migrations";

export const fingerprint = () => ({
  name: "20261126-fingerprint",
  class: class extends Migration {
    override async up(): Promise<void> {
      await this.execute("alter table vms add column fingerprint text");
    }
  },
});
