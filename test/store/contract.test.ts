// @module-tag process
import { storeContract } from "./contract.ts";
import { inMemory, sqliteOn } from "./shared-databases.ts";

storeContract({ name: "a file of SQLite, on Node", open: () => sqliteOn("node") });
storeContract({
  name: "a file of SQLite, on Deno",
  open: () => sqliteOn("deno"),
  skip: [
    {
      test: "a settlement reports what it leaves, given what was reported last",
      reason: "it reports by a function, and the store is in another process",
    },
  ],
});
storeContract({ name: "in memory", open: inMemory });
