// Goal: whatever a plugin's function does, it ends its own process alone and reaches no further than it may. Method:
// functions that try, in real processes; what Node denies is asked for in the ways that its permission model knows, and
// in those that it leaves out.
// @module-tag process
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { describe, expect, it, onTestFinished } from "vitest";
import { openClient } from "../support/client.ts";
import { memorySettings, temporaryDirectory } from "../support/memory.ts";
import { acts, open, pluginFile, refusalOf } from "./harness.ts";

/** A plugin that tries each of these, and says how it ended. */
const trying = (attempts: Readonly<Record<string, string>>, reach = "{}") =>
  pluginFile(
    `import { definePlugin } from "%API%";
     import { execFileSync } from "node:child_process";
     import * as fs from "node:fs";
     import { createRequire } from "node:module";
     import { Worker } from "node:worker_threads";
     const tries = { ${Object.entries(attempts).map(([what, code]) => `${JSON.stringify(what)}: () => ${code}`)} };
     export default definePlugin({
       manifest: { name: "tries", api: 1, summary: "Tries" },
       reach: () => (${reach}),
       open: async (_config, { cacheDirectory }) => cacheDirectory,
       on: { "vm.started": (cache, _event, { log }) => {
         globalThis.cache = cache;
         for (const [what, attempt] of Object.entries(tries))
           try { log(what + ": " + attempt()); } catch (error) { log(what + ": " + (error.code ?? error)); }
       } },
     });`,
  );
const quoted = (path: string) => JSON.stringify(path);

async function outcomes(plugin: string): Promise<Record<string, string>> {
  const host = await open([{ plugin, config: {} }]);
  await host.deliver({});
  return Object.fromEntries(host.lines.map((line) => line.replace("tries: ", "").split(": ")));
}

describe("a function on Node", () => {
  it("is refused files, programs and native code that are not its own, and sees no environment", async () => {
    const [elsewhere, database] = ["file", "store.sqlite"].map((name) => join(temporaryDirectory(), name)) as [
      string,
      string,
    ];
    writeFileSync(elsewhere, "secret");
    new DatabaseSync(database).close();
    const file = quoted(elsewhere);
    const seen = await outcomes(
      trying({
        read: `fs.readFileSync(${file})`,
        look: `fs.statSync(${file})`,
        write: `fs.writeFileSync(${file}, "")`,
        link: `fs.symlinkSync(${file}, cache + "/link")`,
        program: `execFileSync("id")`,
        "program in its place": `process.execve("/usr/bin/id", ["id"], {})`,
        worker: `new Worker("1", { eval: true })`,
        addon: `process.dlopen({ exports: {} }, ${file})`,
        inspector: `process.getBuiltinModule("node:inspector").open(0)`,
        // Node's own SQLite opens what the permission model would not.
        sqlite: `typeof process.getBuiltinModule("node:sqlite")`,
        environment: "JSON.stringify(process.env)",
        arguments: "process.argv.length",
      }),
    );
    const denied = "ERR_ACCESS_DENIED";
    expect(seen).toEqual({
      ...{ read: denied, look: denied, write: denied, link: denied, program: denied, worker: denied },
      "program in its place": denied,
      ...{ addon: "ERR_DLOPEN_DISABLED", inspector: denied, sqlite: "undefined", environment: "{}", arguments: "2" },
    });
    expect(readFileSync(elsewhere, "utf8")).toBe("secret");
  });

  it("has its own folder to read, its cache to write, and what it says that it needs", async () => {
    const given = temporaryDirectory();
    writeFileSync(join(given, "read"), "text");
    // What is granted by a link is granted where that leads, and what is not there yet may be made.
    const link = join(temporaryDirectory(), "link");
    symlinkSync(given, link);
    const seen = await outcomes(
      trying(
        {
          own: "fs.readFileSync(new URL(import.meta.url)).length > 0",
          read: `fs.readFileSync(${quoted(join(given, "read"))}, "utf8")`,
          "read by link": `fs.readFileSync(${quoted(join(link, "read"))}, "utf8")`,
          "write what is read": `fs.writeFileSync(${quoted(join(given, "read"))}, "")`,
          "write new": `fs.mkdirSync(${quoted(join(given, "new/deep"))}, { recursive: true })`,
          "write cache": `fs.writeFileSync(cache + "/kept", "")`,
        },
        `{ read: [${quoted(link)}], write: [${quoted(join(given, "new"))}] }`,
      ),
    );
    expect(seen).toMatchObject({
      ...{ own: "true", read: "text", "read by link": "text", "write what is read": "ERR_ACCESS_DENIED" },
      ...{ "write new": join(given, "new"), "write cache": "undefined" },
    });
  });

  it("is given nothing for a path with a star, which Node would take for anything", async () => {
    const given = temporaryDirectory();
    mkdirSync(join(given, "ab"));
    writeFileSync(join(given, "ab/read"), "text");
    const reading = { read: `fs.readFileSync(${quoted(join(given, "ab/read"))})` };
    expect(await outcomes(trying(reading, `{ read: [${quoted(join(given, "a*"))}] }`))).toEqual({
      read: "ERR_ACCESS_DENIED",
    });
  });

  it("sends no signal to another process, nor has the server open its debugger", async () => {
    const seen = await outcomes(
      trying({
        ask: "process.kill(process.ppid, 0)",
        group: "process.kill(0, 'SIGKILL')",
        debug: "typeof process._debugProcess",
      }),
    );
    expect(seen).toEqual({ ask: "EPERM", group: "EPERM", debug: "undefined" });
  });

  it("goes on when a terminal or a service manager tells all processes of the server to end", async () => {
    const host = await open([{ plugin: acts, config: {} }]);
    await host.deliver({ act: "interrupt" });
    await host.deliver({});
    expect(host.lines.at(-1)).toMatch(/ 2$/);
  });

  it.each([
    ["kill", /ended by SIGKILL/],
    ["abort", /ended by SIGABRT/],
    ["garble", /sent what is no message/],
    ["hang up", /ended by SIGKILL/],
  ])("that does %s fails the delivery alone", async (act, reason) => {
    const host = await open([
      { plugin: acts, config: {} },
      { name: "other", plugin: acts, config: {} },
    ]);
    await host.deliver({}, "other");
    expect(await refusalOf(host.deliver({ act }, "acts"))).toMatchObject({
      code: "PLUGIN_FAILED",
      message: expect.stringMatching(reason),
    });
    await host.deliver({}, "other");
    expect(host.lines.at(-1)).toMatch(/^other: handled .* 2$/);
    await host.deliver({}, "acts");
    expect(host.lines.at(-1)).toMatch(/^acts: handled .* 1$/);
  });
});

const pollLimit = { timeout: 60_000, interval: 50 };

describe("a server on Node", () => {
  const server = async (plugin: string) => {
    const directory = temporaryDirectory();
    const client = await openClient({
      settings: [...memorySettings(join(directory, "data")), "--plugin", plugin],
      env: { XDG_CACHE_HOME: join(directory, "cache"), XDG_CONFIG_HOME: directory },
    });
    onTestFinished(() => client.close());
    await expect
      .poll(async () => (await client.call("list_plugins")).plugins.every(({ behind }) => behind === 0), pollLimit)
      .toBe(true);
    return client;
  };

  it("keeps its stdout from what a function writes to file descriptors", async () => {
    const client = await server(fileURLToPath(new URL("./plugins/writes.ts", import.meta.url)));
    await client.call("create_vm", { name: "web" });
    for (const line of ["writes: to 1\n", "writes: to 2\n"])
      await expect.poll(client.stderr, pollLimit).toContain(line);
    expect((await client.call("list_vms")).total).toBe(1);
  });

  it.each(["waits", "loops"])("that is killed takes a worker that %s with it", async (act) => {
    const client = await server(
      pluginFile(
        `import { definePlugin } from "%API%";
         export default definePlugin({
           manifest: { name: "stays", api: 1, summary: "Stays", limitMs: 60_000 },
           on: { "vm.created": async (_session, _event, { log }) => {
             log("process " + process.pid);
             await new Promise((resolve) => setImmediate(resolve));
             if (${act === "loops"}) for (;;);
             await new Promise(() => undefined);
           } },
         });`,
      ),
    );
    await client.call("create_vm", { name: "web" });
    await expect.poll(client.stderr, pollLimit).toMatch(/stays: process \d+/);
    const pid = Number(/stays: process (\d+)/.exec(client.stderr())![1]);
    expect(isRunning(pid)).toBe(true);
    process.kill(client.pid()!, "SIGKILL");
    await expect.poll(() => isRunning(pid), pollLimit).toBe(false);
  });
});

/** One that has ended and that nobody has collected does not run. */
function isRunning(pid: number): boolean {
  try {
    return !/^State:\s*[ZX]/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}
