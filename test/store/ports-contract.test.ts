// @module-tag process
import { portsContract } from "./ports-contract.ts";
import { inMemory, sqliteOn } from "./shared-databases.ts";

portsContract({ name: "a file of SQLite, on Node", open: () => sqliteOn("node") });
portsContract({ name: "a file of SQLite, on Node and Deno", open: () => sqliteOn("deno") });
portsContract({ name: "in memory", open: inMemory, faultless: "memory is never locked, full or read-only" });
