import { describe, expect, it } from "vitest";
import type { Scope } from "../../src/domain/scope.ts";
import type { AppContext } from "../../src/serve/app-context.ts";
import { pluginCalls } from "../../src/serve/plugin-calls.ts";
import { refusalOf } from "../plugin-host/harness.ts";
import { loss, toolsFor } from "./tools-fixture.ts";

function plugin(permissions: readonly Scope[], confirm: AppContext["confirm"] = "token") {
  const made = toolsFor(confirm);
  const { call } = pluginCalls(made.session);
  const { signal } = new AbortController();
  return {
    ...made,
    call: (tool: string, args: object = {}) => call({ name: "acts", permissions }, tool, args, signal),
  };
}

describe("pluginCalls()", () => {
  const cases: [Scope[], string, Scope | undefined][] = [
    [[], "looks", "vm:read"],
    [["vm:read"], "looks", undefined],
    [["vm:write"], "looks", "vm:read"],
    [["vm:read"], "changes", "vm:write"],
    [["vm:write"], "changes", undefined],
    [["vm:read", "vm:write"], "destroys", "vm:destroy"],
    [["vm:destroy"], "destroys", undefined],
    [[], "no_tool", "vm:read"],
  ];
  it.each(cases)("with %j, for %s, needs %s", async (permissions, tool, needs) => {
    const { calls, call } = plugin(permissions);
    if (needs === undefined) {
      expect(await call(tool)).toEqual({ actor: "plugin:acts" });
      return;
    }
    expect(await refusalOf(call(tool))).toMatchObject({
      code: "PERMISSION_DENIED",
      details: { plugin: "acts", tool, needs },
    });
    expect(calls).toEqual([]);
  });

  it("confirms a loss for a plugin that may destroy, and for no other", async () => {
    const may = plugin(["vm:write", "vm:destroy"]);
    expect(await may.call("loses")).toEqual({ actor: "plugin:acts" });
    expect(may.calls).toHaveLength(2);
    const mayNot = plugin(["vm:write"]);
    const refusal = await refusalOf(mayNot.call("loses"));
    expect(refusal).toMatchObject({ code: "CONFIRMATION_REQUIRED", details: { losses: loss.losses } });
    expect(JSON.stringify(refusal.details) + refusal.message).not.toContain("t0k3n");
    expect(await refusalOf(mayNot.call("loses", { confirm: "t0k3n" }))).toMatchObject({
      code: "PERMISSION_DENIED",
      details: { needs: "vm:destroy" },
    });
  });

  it("confirms nothing under --confirm human, whatever the plugin may do", async () => {
    for (const permissions of [["vm:write"], ["vm:write", "vm:destroy"]] as const)
      expect(await refusalOf(plugin(permissions, "human").call("loses"))).toMatchObject({
        code: "CONFIRMATION_BY_PERSON",
        details: { vm: "web", losses: ["all"] },
      });
  });

  it("refuses a tool that is not on offer", async () => {
    expect(await refusalOf(plugin(["vm:read"]).call("no_tool"))).toMatchObject({ code: "TOOL_NOT_FOUND" });
  });

  it("logs a defect, and gives the plugin its id", async () => {
    const { call, defects } = plugin(["vm:read"]);
    await expect(call("breaks")).rejects.toMatchObject({ name: "Defect", id: "defect-1" });
    expect(defects).toEqual([expect.any(TypeError)]);
  });
});
