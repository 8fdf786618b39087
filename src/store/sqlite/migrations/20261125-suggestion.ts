/** That an installation looks complete stands with its VM until somebody answers. */
import { Migration } from "@mikro-orm/migrations";

export const suggestion = () => ({
  name: "20261125-suggestion",
  class: class extends Migration {
    override async up(): Promise<void> {
      await this.execute("alter table vms add column suggestion text");
    }
  },
});
