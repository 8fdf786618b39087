// @module-tag process
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { openHarness } from "./harness.ts";

const acts = fileURLToPath(new URL("../plugin-host/plugins/acts.ts", import.meta.url));

describe("list_plugins", () => {
  const { call } = openHarness({ local: {} }, ["--plugin", `first=${acts}`, "--plugin", acts]);

  it("tells what each plugin may do and how it is, in the order of the settings", async () => {
    const { plugins } = await call("list_plugins");
    expect(plugins.map(({ name, plugin }) => [name, plugin])).toEqual([
      ["first", "acts"],
      ["acts", "acts"],
    ]);
    expect(plugins[0]).toMatchObject({
      summary: "Does what it is told",
      permissions: ["vm:read", "vm:write"],
      events: ["vm.started"],
      fetch: true,
      reach: {},
      limit_ms: 2_000,
      state: "idle",
      calls: 0,
      failures: 0,
    });
  });
});

describe("list_plugins on a server without plugins", () => {
  const { call } = openHarness();
  it("is an empty list", async () => {
    expect(await call("list_plugins")).toEqual({ plugins: [] });
  });
});
