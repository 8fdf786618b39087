// @module-tag process
import { describe, expect, it } from "vitest";
import { DomainError } from "../../src/domain/error.ts";
import type { Permission } from "../../src/plugin.ts";
import { type PluginTools, permittedTools } from "../../src/plugin-host/permission.ts";
import { acts, event, open, refusalOf } from "./bench.ts";

const losses = ["the running guest's memory"];
const effects = { get_vm: "read", stop_vm: "change", delete_vm: "destroy" } as const;
/** Three tools, of which two lose something when they are told to. */
function tools(): PluginTools & { calls: unknown[] } {
  const calls: unknown[] = [];
  return {
    calls,
    effectOf: (tool) => effects[tool as keyof typeof effects],
    async call(plugin, tool, args) {
      calls.push([plugin, tool, args]);
      if (!(tool in effects)) throw new DomainError("TOOL_NOT_FOUND", { tool, known: [] });
      const { force, confirm } = args as { force?: boolean; confirm?: string };
      if (force && confirm !== "t0k3n")
        throw new DomainError("CONFIRMATION_REQUIRED", { vm: "web", losses, confirm: "t0k3n", expiresAt: "soon" });
      return { did: tool };
    },
  };
}
const caller = (...permissions: Permission[]) => {
  const given = tools();
  const call = permittedTools("acts", permissions, given);
  return { given, call: (tool: string, args: object = {}) => call(tool, args, new AbortController().signal) };
};

describe("permittedTools()", () => {
  const cases: [Permission[], string, string | undefined][] = [
    [[], "get_vm", "vm:read"],
    [["vm:read"], "get_vm", undefined],
    [["vm:write"], "get_vm", "vm:read"],
    [["vm:read"], "stop_vm", "vm:write"],
    [["vm:write"], "stop_vm", undefined],
    [["vm:read", "vm:write"], "delete_vm", "vm:destroy"],
    [["vm:destroy"], "delete_vm", undefined],
    [[], "no_tool", "vm:read"],
  ];
  it.each(cases)("with %j, for %s, needs %s", async (permissions, tool, needs) => {
    const { given, call } = caller(...permissions);
    if (needs === undefined) {
      expect(await call(tool)).toEqual({ did: tool });
      return;
    }
    expect(await refusalOf(call(tool))).toMatchObject({
      code: "PERMISSION_DENIED",
      details: { plugin: "acts", tool, needs },
    });
    expect(given.calls).toEqual([]);
  });

  it("confirms a loss for a plugin that may destroy, and for no other", async () => {
    const may = caller("vm:write", "vm:destroy");
    expect(await may.call("stop_vm", { force: true })).toEqual({ did: "stop_vm" });
    expect(may.given.calls).toHaveLength(2);
    const mayNot = caller("vm:write");
    const refusal = await refusalOf(mayNot.call("stop_vm", { force: true }));
    expect(refusal).toMatchObject({ code: "CONFIRMATION_REQUIRED", details: { losses } });
    expect(JSON.stringify(refusal.details) + refusal.message).not.toContain("t0k3n");
    expect(await refusalOf(mayNot.call("stop_vm", { force: true, confirm: "t0k3n" }))).toMatchObject({
      code: "PERMISSION_DENIED",
      details: { needs: "vm:destroy" },
    });
  });
});

describe("context.call()", () => {
  it("comes back with the answer, or with the refusal's code, message and details", async () => {
    const given = tools();
    const host = await open([{ plugin: acts, config: {} }], { tools: given });
    await host.tell({ act: "call", tool: "get_vm", args: { vm: "web" } });
    await host.tell({ act: "call", tool: "delete_vm" });
    await host.tell({ act: "call", tool: "no_tool" });
    expect(given.calls[0]).toEqual(["acts", "get_vm", { vm: "web" }]);
    expect(host.lines.filter((line) => !line.includes("told"))).toEqual([
      "acts: hello, opened",
      'acts: answer {"did":"get_vm"}',
      expect.stringMatching(/refused \["PERMISSION_DENIED","Plugin .+acts.+ may not call delete_vm/),
      expect.stringMatching(/refused \["TOOL_NOT_FOUND"/),
    ]);
  });

  it("is no time of the function's own, and is given up when the delivery is", async () => {
    let seen: AbortSignal | undefined;
    const slow: PluginTools = {
      effectOf: () => "read",
      call: (_plugin, tool, _args, signal) =>
        tool === "get_vm"
          ? new Promise((resolve) => setTimeout(() => resolve({}), 3_000))
          : new Promise((_resolve, reject) => {
              seen = signal;
              signal.addEventListener("abort", () => reject(new DomainError("CANCELLED", { vm: "web" })));
            }),
    };
    const host = await open([{ plugin: acts, config: {} }], { tools: slow });
    await host.tell({ act: "call", tool: "get_vm" });
    const giving = new AbortController();
    const delivery = host.subscriber().deliver(event({ act: "call", tool: "stop" }), giving.signal);
    while (!seen) await new Promise((resolve) => setTimeout(resolve, 5));
    giving.abort(new Error("closing"));
    await delivery.catch(() => undefined);
    expect(seen.aborted).toBe(true);
  });

  it("says that a defect is one, and nothing more", async () => {
    const broken: PluginTools = { effectOf: () => "read", call: () => Promise.reject(new TypeError("of undefined")) };
    const host = await open([{ plugin: acts, config: {} }], { tools: broken });
    await host.tell({ act: "call", tool: "get_vm" });
    expect(host.lines.find((line) => line.includes("refused"))).toMatch(/\["DEFECT","A fault in Bootwright itself/);
  });
});
