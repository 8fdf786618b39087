/** MCP over HTTP, with the clients that hosts are built on. */
// @module-tag process
import { describe, expect, it, onTestFinished } from "vitest";
import { openHttp } from "../../support/http.ts";
import { openHere, TOKEN } from "../../support/http-here.ts";
import { memorySettings } from "../../support/memory.ts";
import { tokenFor } from "../../support/token.ts";
import { world } from "../../support/world.ts";
import { type Caller, type CallerOptions, generations } from "../callers.ts";
import { run } from "../process.ts";

type Generation = keyof typeof generations;
type Options = Omit<CallerOptions, "settings"> & { token?: string };

async function connect(
  server: Readonly<{ url: string; token?: string }>,
  generation: Generation,
  { token = server.token ?? TOKEN, ...options }: Options = {},
) {
  const caller = await generations[generation]({
    settings: { url: server.url, token },
    ...options,
  });
  onTestFinished(() => caller.close());
  return caller;
}
const installing = async (caller: Caller, name = "web") => {
  const { structuredContent } = await caller.call("create_vm", { name, iso_path: "installer.iso" });
  await caller.call("start_vm", { vm: name });
  return `vm://${(structuredContent!.vm as { uuid: string }).uuid}`;
};

describe.each(Object.keys(generations) as Generation[])("a client of %s", (generation) => {
  it("lists and calls in its own protocol version, and is named with its token in the history", async () => {
    const caller = await connect(await openHere(await world()), generation);
    expect([caller.protocol(), caller.serverName()]).toEqual([generation.slice(0, 10), "bootwright"]);
    expect((await caller.tools()).map(({ name }) => name)).toContain("delete_vm");
    const created = await caller.call("create_vm", { name: "web", iso_path: "installer.iso" });
    expect(created.structuredContent).toMatchObject({ changed: true, vm: { name: "web" } });
    const { operations } = (await caller.call("list_operations")).structuredContent as {
      operations: { actor: string }[];
    };
    expect(operations.map(({ actor }) => actor)).toEqual(["mcp-http:main:interop 1.0"]);
  });

  it("reads what a call was refused with as data", async () => {
    const caller = await connect(await openHere(await world()), generation);
    const refused = await caller.call("get_vm", { vm: "wbe" });
    expect(refused).toMatchObject({ isError: true, refusal: { code: "VM_NOT_FOUND", next: "list_vms" } });
  });

  it("asks its user before something is lost, and does what the user says", async () => {
    const asked: string[] = [];
    let action: "accept" | "decline" = "decline";
    const caller = await connect(await openHere(await world()), generation, {
      asked(message) {
        asked.push(message);
        return { action, content: { confirm: true } };
      },
    });
    await installing(caller);
    const cut = () => caller.call("stop_vm", { vm: "web", force: true });
    expect(await cut()).toMatchObject({ isError: true, refusal: { code: "CONFIRMATION_DECLINED" } });
    action = "accept";
    expect((await cut()).structuredContent).toMatchObject({ changed: true, vm: { power: "off" } });
    expect(asked).toEqual(Array(2).fill(expect.stringMatching(/^stop_vm on web loses for good: /)));
  });

  it("hears of each step, and cancels what takes long: the operation is rolled back", async () => {
    const caller = await connect(await openHere(await world()), generation);
    await installing(caller);
    const cancel = new AbortController();
    const heard: (string | undefined)[] = [];
    const stopping = caller.call(
      "stop_vm",
      { vm: "web", timeout_seconds: 600 },
      {
        signal: cancel.signal,
        onprogress({ message }) {
          heard.push(message);
          cancel.abort(new Error("changed my mind"));
        },
      },
    );
    await expect(stopping).rejects.toThrow("changed my mind");
    expect(heard.length).toBeGreaterThan(0);
    const { structuredContent } = await caller.call("attach_iso", { vm: "web", iso_path: "live.iso" });
    expect(structuredContent).toMatchObject({ changed: true, vm: { power: "running" } });
    const { operations } = (await caller.call("list_operations")).structuredContent as {
      operations: { tool: string; status: string }[];
    };
    expect(operations.find(({ tool }) => tool === "stop_vm")?.status).toBe("rolled_back");
  });

  it("hears of a VM that it reads when REST changes it here, and when another process does", async () => {
    const server = await openHttp();
    const caller = await connect(server, generation);
    const { structuredContent } = await caller.call("create_vm", { name: "web" });
    const uri = `vm://${(structuredContent!.vm as { uuid: string }).uuid}`;
    expect((await caller.reads.resources()).map((resource) => resource.uri)).toContain(uri);
    const end = await caller.reads.hear(uri);
    const { heard } = caller.reads;
    await server.ask("POST", "/api/vms/web/boot-order", { boot_order: "hd" });
    await expect.poll(() => heard.updated).toEqual([uri]);
    expect(await caller.reads.read(uri)).toMatchObject({ boot_order: "hd" });
    // Of another process the VMs in memory are others, and the record is the same.
    const other = memorySettings(server.data);
    await run([...other, "call", "complete_installation", "vm=web"]);
    await run([...other, "call", "create_vm", "name=elsewhere"]);
    await expect.poll(heard.lists).toBeGreaterThan(0);
    await end();
  });

  it("sees the tools of its token's scopes alone, and is told which scope another one takes", async () => {
    const own = await world();
    const [read, write] = [tokenFor(own.directory, "reader", "vm:read"), tokenFor(own.directory, "writer", "vm:write")];
    const server = await openHere(own);
    const reader = await connect(server, generation, { token: read });
    const names = (await reader.tools()).map(({ name }) => name);
    expect(names).toContain("list_vms");
    expect(names.filter((name) => /^(create|delete|start|stop|set|attach)_/.test(name))).toEqual([]);
    expect(await reader.call("create_vm", { name: "web" })).toMatchObject({
      isError: true,
      refusal: { code: "SCOPE_MISSING", details: { caller: "reader", scope: "vm:write", has: ["vm:read"] } },
    });
    const writer = await connect(server, generation, { token: write });
    expect((await writer.call("create_vm", { name: "web" })).structuredContent).toMatchObject({ changed: true });
    expect((await writer.call("delete_vm", { vm: "web" })).refusal?.code).toBe("SCOPE_MISSING");
    await expect(writer.reads.resources()).rejects.toMatchObject({ data: { code: "SCOPE_MISSING" } });
    await expect(writer.reads.hear("bootwright://vms")).rejects.toThrow("vm:read");
  });
});
