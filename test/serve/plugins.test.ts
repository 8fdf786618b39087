/** Plugins' functions on a real server: from the event to what they do about it. */
// @module-tag process
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import { describe, expect, it, vi } from "vitest";
import { pluginFile } from "../plugin-host/harness.ts";
import { type BootwrightClient, openClient } from "../support/client.ts";
import { memorySettings, temporaryDirectory } from "../support/memory.ts";
import { run } from "./process.ts";

const waitFor = <T>(look: () => T | Promise<T>) => vi.waitFor(look, { timeout: 100_000, interval: 50 });

async function server(...plugins: string[]): Promise<BootwrightClient> {
  const settings = plugins.flatMap((plugin) => ["--plugin", plugin]);
  const opened = await openClient({
    settings: [...memorySettings(temporaryDirectory(), "installsAfterMs=0"), ...settings],
  });
  // Who is told for the first time is told of what happens from then on.
  await waitFor(async () => {
    const { plugins: list } = await opened.call("list_plugins");
    expect(list.map(({ behind }) => behind)).toEqual(list.map(() => 0));
  });
  return opened;
}

describe("a plugin that `bootwright plugin new` writes", () => {
  it("passes its test, and is told of what happens on a server", async () => {
    const root = join(temporaryDirectory(), "greet");
    const { code, stdout } = await run(["plugin", "new", "greet", root]);
    expect([code, stdout.split("\n")[0]]).toEqual([0, root]);
    const { NODE_OPTIONS: _none, ...env } = process.env;
    const tested = await execa(process.execPath, ["--test"], { cwd: root, reject: false, env, extendEnv: false });
    expect(tested.stdout).toMatch(/pass 1\n/);
    expect(tested.exitCode).toBe(0);
    const opened = await server(`${join(root, "index.ts")},greeting=Look`);
    try {
      await opened.call("create_vm", { name: "web", iso_path: "installer.iso" });
      await opened.call("start_vm", { vm: "web" });
      await waitFor(() => expect(opened.stderr()).toContain("greet: Look: web has started from cdrom"));
      const { plugins } = await opened.call("list_plugins");
      expect(plugins).toMatchObject([
        {
          name: "greet",
          permissions: ["vm:read"],
          events: ["vm.started"],
          state: "idle",
          calls: 1,
          failures: 0,
          behind: 0,
        },
      ]);
    } finally {
      await opened.close();
    }
  });

  it.each([
    [["plugin", "new", "Greet"], /"Greet" is no name for a plugin/],
    [["plugin", "new"], /unknown command "plugin"/],
    [["plugin", "new", "greet", "src"], /src exists and is not empty/],
  ])("is not written for %j", async (args, message) => {
    const { code, stderr } = await run(args);
    expect(stderr).toMatch(message);
    expect(code).toBe(2);
  });
});

describe("a plugin's function on a server", () => {
  it("changes VMs as any client does, with its name in the history, and what it prints disturbs nobody", async () => {
    const path = pluginFile(
      `import { definePlugin } from "bootwright/plugin";
       export default definePlugin({
         manifest: { name: "completes", api: 1, summary: "Completes", permissions: ["vm:write", "vm:destroy"] },
         on: {
           "vm.started": async (_session, event, { call }) => {
             console.log("this is no message of MCP");
             await call("complete_installation", { vm: event.subject, boot_order: "hd" });
             await call("stop_vm", { vm: event.subject, force: true });
           },
         },
       });`,
    );
    const opened = await server(`mine=${path}`);
    try {
      await opened.call("create_vm", { name: "web", iso_path: "installer.iso" });
      await opened.call("start_vm", { vm: "web" });
      await waitFor(async () => expect(await opened.call("get_vm", { vm: "web" })).toMatchObject({ power: "off" }));
      const { operations } = await opened.call("list_operations", { vm: "web" });
      expect(operations.slice(0, 2).map(({ tool, actor }) => [tool, actor])).toEqual([
        ["stop_vm", "plugin:mine"],
        ["complete_installation", "plugin:mine"],
      ]);
      expect(opened.stderr()).toContain("mine: this is no message of MCP");
    } finally {
      await opened.close();
    }
  });

  it("that never ends keeps no server from serving or from ending", async () => {
    const path = pluginFile(
      `import { definePlugin } from "bootwright/plugin";
       export default definePlugin({
         manifest: { name: "loops", api: 1, summary: "Loops", limitMs: 60000 },
         on: { "vm.created": () => { for (;;); } },
       });`,
    );
    const opened = await server(path);
    await opened.call("create_vm", { name: "web" });
    await waitFor(async () =>
      expect((await opened.call("list_plugins")).plugins).toMatchObject([{ state: "running" }]),
    );
    const pid = opened.pid()!;
    await opened.close();
    await waitFor(() => expect(() => process.kill(pid, 0)).toThrow("ESRCH"));
  });
});

describe("a plugin that cannot be loaded", () => {
  it("ends the program with its coded error, and a call that needs no plugin does without it", async () => {
    const directory = temporaryDirectory();
    mkdirSync(join(directory, "data"));
    writeFileSync(join(directory, "settings.json"), JSON.stringify({ plugin: [{ plugin: "./no-such.ts" }] }));
    const settings = [...memorySettings(join(directory, "data")), "--config", join(directory, "settings.json")];
    const served = await run(settings);
    expect(served.stderr).toMatch(/^bootwright: PLUGIN_NOT_FOUND: Cannot load plugin ".\/no-such.ts"/);
    expect(served.code).toBe(2);
    expect((await run([...settings, "call", "list_vms"])).code).toBe(0);
    const listed = await run([...settings, "call", "list_plugins"]);
    expect(listed.stderr).toMatch(/^PLUGIN_NOT_FOUND/);
    expect(listed.code).toBe(1);
  });
});
