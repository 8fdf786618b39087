// @module-tag process
import { describe, expect, it } from "vitest";
import { DomainError } from "../../src/domain/error.ts";
import type { PluginTools } from "../../src/plugin-host/plugin-functions.ts";
import { acts, event, open } from "./harness.ts";

/** One tool that there is, one that the plugin may not call, and no others. */
function tools(): PluginTools & { calls: unknown[] } {
  const calls: unknown[] = [];
  return {
    calls,
    async call({ name, permissions }, tool, args) {
      calls.push([name, permissions, tool, args]);
      if (tool === "get_vm") return { did: tool };
      if (tool !== "delete_vm") throw new DomainError("TOOL_NOT_FOUND", { tool, known: [] });
      throw new DomainError("PERMISSION_DENIED", { plugin: name, tool, needs: "vm:destroy", permissions });
    },
  };
}

describe("context.call()", () => {
  it("comes back with the answer, or with the refusal's code, message and details", async () => {
    const given = tools();
    const host = await open([{ plugin: acts, config: {} }], { tools: given });
    await host.deliver({ act: "call", tool: "get_vm", args: { vm: "web" } });
    await host.deliver({ act: "call", tool: "delete_vm" });
    await host.deliver({ act: "call", tool: "no_tool" });
    expect(given.calls[0]).toEqual(["acts", ["vm:read", "vm:write"], "get_vm", { vm: "web" }]);
    expect(host.lines.filter((line) => !line.includes("handled"))).toEqual([
      "acts: hello, opened",
      'acts: answer {"did":"get_vm"}',
      expect.stringMatching(/refused \["PERMISSION_DENIED","Plugin .+acts.+ may not call delete_vm/),
      expect.stringMatching(/refused \["TOOL_NOT_FOUND"/),
    ]);
  });

  it("is no time of the function's own, and is given up when the delivery is", async () => {
    let seen: AbortSignal | undefined;
    const slow: PluginTools = {
      call: (_plugin, tool, _args, signal) =>
        // Longer than the 2 s that the function has, which the worker's own clock measures.
        tool === "get_vm"
          ? new Promise((resolve) => setTimeout(() => resolve({}), 3_000))
          : new Promise((_resolve, reject) => {
              seen = signal;
              signal.addEventListener("abort", () => reject(new DomainError("CANCELLED", { vm: "web" })));
            }),
    };
    const host = await open([{ plugin: acts, config: {} }], { tools: slow });
    await host.deliver({ act: "call", tool: "get_vm" });
    const giving = new AbortController();
    const delivery = host.subscriber().deliver(event({ act: "call", tool: "stop" }), giving.signal);
    await expect.poll(() => seen).toBeDefined();
    giving.abort(new Error("closing"));
    await delivery.catch(() => undefined);
    expect(seen?.aborted).toBe(true);
  });

  it("says that a defect is one, and nothing more", async () => {
    const broken: PluginTools = { call: () => Promise.reject(new TypeError("of undefined")) };
    const host = await open([{ plugin: acts, config: {} }], { tools: broken });
    await host.deliver({ act: "call", tool: "get_vm" });
    expect(host.lines.find((line) => line.includes("refused"))).toMatch(/\["DEFECT","A fault in Bootwright itself/);
  });
});
