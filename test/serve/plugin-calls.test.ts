import { describe, expect, it } from "vitest";
import { z } from "zod";
import { DomainError } from "../../src/domain/error.ts";
import { pluginCalls } from "../../src/serve/plugin-calls.ts";
import type { Session } from "../../src/serve/session.ts";
import { defineTool, type Tool, type ToolContext } from "../../src/tools/tool.ts";

const tool = (name: string, run: (context: ToolContext) => void) =>
  defineTool({
    name,
    title: "Test",
    description: "Test.",
    effect: "change",
    needs: [],
    http: { method: "POST", path: "/test" },
    input: z.object({}),
    output: z.object({ actor: z.string() }),
    async run(_input, context) {
      run(context);
      return { actor: context.actor };
    },
  }) as unknown as Tool;

const loss = { vm: "web", losses: ["all"], confirm: "t0k3n", expiresAt: "soon" };
function calls(confirm: Session["confirm"]) {
  const defects: unknown[] = [];
  const session: Session = {
    tools: [
      tool("works", () => undefined),
      tool("loses", () => {
        throw new DomainError("CONFIRMATION_REQUIRED", loss);
      }),
      tool("breaks", () => {
        throw new TypeError("of undefined");
      }),
    ],
    confirm,
    version: "0",
    context: (call) => call as ToolContext,
    defect: (error) => {
      defects.push(error);
      return "id";
    },
  };
  const { effectOf, call } = pluginCalls(session);
  return { defects, effectOf, call: (name: string) => call("hello", name, {}, new AbortController().signal) };
}

describe("pluginCalls()", () => {
  it("calls the tools that are on offer, as the plugin", async () => {
    const { call, effectOf } = calls("token");
    expect(await call("works")).toEqual({ actor: "plugin:hello" });
    expect([effectOf("works"), effectOf("none")]).toEqual(["change", undefined]);
    await expect(call("none")).rejects.toMatchObject({ code: "TOOL_NOT_FOUND" });
  });

  it("passes on what is to be confirmed, but under --confirm human no token", async () => {
    await expect(calls("token").call("loses")).rejects.toMatchObject({ code: "CONFIRMATION_REQUIRED", details: loss });
    await expect(calls("human").call("loses")).rejects.toMatchObject({
      code: "CONFIRMATION_BY_PERSON",
      details: { vm: "web", losses: ["all"] },
    });
  });

  it("writes a defect to stderr", async () => {
    const { call, defects } = calls("token");
    await expect(call("breaks")).rejects.toThrow(TypeError);
    expect(defects).toHaveLength(1);
  });
});
