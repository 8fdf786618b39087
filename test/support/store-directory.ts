import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { openSqliteStore } from "../../src/store/sqlite/store.ts";
import { guestPrefix } from "./guest-names.ts";
import { memoryDirectory } from "./memory-directory.ts";

/** A database as a first start leaves it, made once in a process: to make it takes longer than most tests do. */
let first: Promise<string> | undefined;

/** A directory with a database that nothing was done in yet. */
export async function newStoreDirectory(): Promise<string> {
  first ??= (async () => {
    const directory = mkdtempSync(join(memoryDirectory, `${guestPrefix}first-`));
    process.once("exit", () => rmSync(directory, { recursive: true, force: true }));
    const newId = () => crypto.randomUUID();
    await (await openSqliteStore({ directory, imageDirectory: "/memory/images", connection: "local", newId })).close();
    return directory;
  })();
  const directory = mkdtempSync(join(memoryDirectory, `${guestPrefix}world-`));
  cpSync(await first, directory, { recursive: true });
  return directory;
}
