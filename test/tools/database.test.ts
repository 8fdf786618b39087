// @module-tag process
import { existsSync, renameSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { allTools } from "../../src/tools/catalogue.ts";
import type { ToolContext } from "../../src/tools/tool.ts";
import { openClient } from "../support/client.ts";
import { temporaryDirectory } from "../support/memory.ts";
import { world } from "../support/world.ts";
import { foreign, openHarness, seedOf, uuid } from "./harness.ts";

const { call, outside } = openHarness({ local: seedOf(foreign(1, "web"), foreign(2, "db"), foreign(3, "copy")) });

describe("backup_database", () => {
  it("copies the database while the server runs, for the owner alone", async () => {
    await call("adopt_vm", { vm: "web" });
    const { path, size_bytes } = await call("backup_database");
    expect(statSync(path)).toMatchObject({ size: size_bytes });
    expect((statSync(path).mode & 0o777).toString(8)).toBe("600");
    await call("complete_installation", { vm: "web" });
    const data = temporaryDirectory();
    renameSync(path, join(data, "bootwright.sqlite"));
    // A server on the copy knows what was on record then.
    const server = await openClient({ settings: ["--data", data, "--connection", "local=memory"] });
    try {
      const { operations } = await server.call("list_operations");
      expect(operations.map(({ tool }) => tool)).toEqual(["adopt_vm"]);
    } finally {
      await server.close();
    }
    expect(existsSync(dirname(path))).toBe(true);
  });

  it("is no tool where the database is not Bootwright's own to copy", async () => {
    const { backup: _, ...store } = (await world()).store;
    const { run } = allTools.find(({ name }) => name === "backup_database")!;
    await expect(run({}, { store: async () => store } as unknown as ToolContext)).rejects.toMatchObject({
      code: "TOOL_NOT_FOUND",
    });
  });
});

describe("rebuild_database", () => {
  it("puts on record what carries its own tag, leaves what is on record, and names copies", async () => {
    const tagged = (id: string, revision: number, status: string) => ({ claim: { uuid: id, revision, status } });
    outside(
      ["setIdentity", uuid(2), tagged(uuid(2), 7, "Installed")],
      ["setIdentity", uuid(3), tagged(uuid(2), 7, "Installed")],
    );
    expect((await call("get_vm", { vm: "db" })).findings).toMatchObject([{ code: "RECORD_MISSING" }]);
    const dry = await call("rebuild_database", { dry_run: true });
    expect(dry.rebuilt.map(({ name }) => name)).toEqual(["db"]);
    const { rebuilt, refused, copied, untagged } = await call("rebuild_database");
    expect(rebuilt).toEqual([{ vm: uuid(2), name: "db", installation_status: "Installed" }]);
    expect({ refused, copied, untagged }).toEqual({ refused: [], copied: ["copy"], untagged: 0 });
    expect(await call("get_vm", { vm: "web" })).toMatchObject({ installation_status: "Installed" });
    expect((await call("rebuild_database")).rebuilt).toEqual([]);
    // The record goes on from the tag's revision.
    await call("begin_reinstallation", { vm: "db" });
    expect((await call("get_vm", { vm: "db" })).findings).toEqual([]);
  });
});
