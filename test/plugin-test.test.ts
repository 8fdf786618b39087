import { describe, expect, it } from "vitest";
import { definePlugin, ToolRefused, z } from "../src/plugin.ts";
import { openPlugin } from "../src/plugin-test.ts";

const plugin = definePlugin<{ word: string }, { word: string; handled: string[] }>({
  manifest: { name: "tested", api: 1, summary: "Tested" },
  config: z.object({ word: z.string() }),
  open: async ({ word }) => ({ word, handled: [] }),
  close: async ({ handled }) => void handled.push("closed"),
  on: {
    "vm.started": async ({ word, handled }, event, { call, log }) => {
      handled.push(event.id);
      log(`${word} ${(await call("get_vm", { vm: event.subject })).name} ${event.data.run} ${handled.length}`);
    },
  },
  fetch: async (_session, request, { vm }) => new Response(`${vm} ${new URL(request.url).pathname}`),
});

describe("openPlugin()", () => {
  it("opens with settings as they are written, tells, asks, and keeps what was logged and called", async () => {
    const opened = await openPlugin(plugin, { word: "look" }, { get_vm: ({ vm }) => ({ name: `web-${vm}` }) });
    await opened.emit("vm.started", { run: "1" });
    await opened.emit("vm.started", { run: "2" }, { subject: "vm-2" });
    await opened.emit("vm.stopped");
    expect(opened.lines).toEqual(["look web-vm-1 1 1", "look web-vm-2 2 2"]);
    expect(opened.calls.at(-1)).toEqual({ tool: "get_vm", args: { vm: "vm-2" } });
    const answer = await opened.request(new Request("http://x/done"), { vm: "web" });
    expect(await answer.text()).toBe("web /done");
    await opened.close();
    await expect(openPlugin(plugin, {})).rejects.toThrow("word");
  });

  it("refuses a tool that the test gives no answer to", async () => {
    const opened = await openPlugin(plugin, { word: "look" });
    await expect(opened.emit("vm.started")).rejects.toThrow(ToolRefused);
  });

  it("says that there is no fetch", async () => {
    const { fetch: _none, ...rest } = plugin;
    await expect((await openPlugin(rest, { word: "x" })).request(new Request("http://x"))).rejects.toThrow("no fetch");
  });
});
