// @module-tag process
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, it, vi } from "vitest";
import { z } from "zod";
import memory from "../../plugins/memory/index.ts";
import { DomainError } from "../../src/domain/error.ts";
import type { Plugin } from "../../src/plugin.ts";
import { type BackendHost, type BackendHostOptions, openBackendHost } from "../../src/plugin-host/backends.ts";
import { temporaryDirectory } from "../support/memory.ts";

const context: BackendHostOptions["context"] = () => ({
  log: () => undefined,
  fingerprint: (meaning) => meaning,
  cacheDirectory: "/nowhere",
  stateDirectory: "/nowhere",
  defaults: {},
});
/** A host whose connections use these plugins; a text is the name that a user would write. */
function host(
  plugins: Readonly<Record<string, Plugin | string>>,
  config: Record<string, string> = {},
): Promise<BackendHost> {
  const names = Object.keys(plugins);
  return openBackendHost({
    connections: names.map((name) => {
      const plugin = plugins[name]!;
      return { name, plugin: typeof plugin === "string" ? plugin : name, config };
    }),
    shipped: Object.fromEntries(
      Object.entries(plugins).flatMap(([name, plugin]) =>
        typeof plugin === "string" ? [] : [[name, async () => ({ default: plugin })]],
      ),
    ),
    context,
  });
}
const refusalOf = async (work: Promise<unknown>): Promise<DomainError> => {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(DomainError);
  return error as DomainError;
};

const reference = memory as unknown as Plugin;
const backend = reference.backend!;
/** The memory plugin with parts of it replaced. */
const variant = (parts: Partial<Plugin>): Plugin => ({
  ...reference,
  config: z.object({}),
  open: async () => ({}),
  ...parts,
});

const pluginSource = pathToFileURL(join(import.meta.dirname, "../../plugins/memory/index.ts")).href;
function pluginFile(name: string, text = `export { default } from ${JSON.stringify(pluginSource)};`): string {
  const path = join(temporaryDirectory(), name);
  writeFileSync(path, text);
  return path;
}

describe("openBackendHost() loads a plugin", () => {
  it("by the name of one that ships, by an absolute path and by one from here", async () => {
    const absolute = pluginFile("plugin.mjs");
    const {
      names,
      capabilities,
      backend: open,
      close,
    } = await openBackendHost({
      connections: [
        { name: "a", plugin: "memory", config: {} },
        { name: "b", plugin: absolute, config: {} },
        { name: "c", plugin: "./plugins/memory/index.ts", config: {} },
      ],
      shipped: { memory: async () => ({ default: memory }) },
      context,
    });
    expect(names).toEqual(["a", "b", "c"]);
    for (const name of names) {
      expect(capabilities(name).backend).toBe("memory");
      expect(await (await open(name)).list()).toEqual([]);
    }
    await close();
  });

  const cases: [string, string | undefined, string, RegExp][] = [
    ["that is not there", "/no/such/plugin.mjs", "PLUGIN_NOT_FOUND", /Cannot load plugin "\/no\/such\/plugin.mjs"/],
    ["of a package that is not installed", "no-such-package-of-bootwright", "PLUGIN_NOT_FOUND", /Cannot find package/],
    ["with the name of something that every object has", "toString", "PLUGIN_NOT_FOUND", /Cannot find package/],
  ];
  it.each(cases)("refuses a plugin %s", async (_what, plugin, code, message) => {
    const error = await refusalOf(host({ a: plugin! }));
    expect(error).toMatchObject({ code, message: expect.stringMatching(message) });
  });

  const files: [string, string, string, RegExp][] = [
    ["cannot be parsed", "export default {", "PLUGIN_INVALID", /./],
    ["throws while it loads", "throw new Error('out of order')", "PLUGIN_INVALID", /out of order/],
    ["imports what is not there", 'import "./gone.mjs"', "PLUGIN_INVALID", /gone\.mjs/],
    ["has no default export", "export const plugin = 1", "PLUGIN_INVALID", /no default export made by definePlugin/],
    [
      "exports something else",
      "export default { manifest: {} }",
      "PLUGIN_INVALID",
      /no default export made by definePlugin/,
    ],
  ];
  it.each(files)("refuses a plugin whose file %s", async (_what, text, code, message) => {
    const error = await refusalOf(host({ a: pluginFile("bad.mjs", text) }));
    expect(error).toMatchObject({ code, message: expect.stringMatching(message) });
  });

  it("refuses a plugin for another plugin API", async () => {
    const error = await refusalOf(host({ a: variant({ manifest: { name: "old", api: 0, summary: "" } }) }));
    expect(error).toMatchObject({
      code: "PLUGIN_INVALID",
      message: expect.stringContaining("plugin API 0; this program has 1"),
    });
  });

  it("refuses a plugin that brings no backend", async () => {
    const { backend: _none, ...rest } = variant({});
    expect(await refusalOf(host({ a: rest }))).toMatchObject({ code: "PLUGIN_INVALID" });
  });

  const flawed: [string, object, RegExp][] = [
    ["lacks a method", { lookup: undefined }, /backend's lookup is no function/],
    ["has no changes", { changes: undefined }, /changes are no object of handlers/],
    [
      "has a method outside its group",
      { watch: async () => undefined },
      /a backend has no "watch"; .*its groups are .*events/,
    ],
    ["has a group without its method", { events: {} }, /events.watch is no function; a group needs all of its methods/],
    ["has something else than a group", { guest: 7 }, /guest.info is no function/],
  ];
  it.each(flawed)("refuses a plugin whose backend %s", async (_what, parts, message) => {
    const error = await refusalOf(host({ a: variant({ backend: { ...backend, ...parts } as never }) }));
    expect(error).toMatchObject({ code: "PLUGIN_INVALID", message: expect.stringMatching(message) });
  });

  it("refuses settings that a plugin does not take, and names each", async () => {
    const picky = variant({ config: z.strictObject({ uri: z.url(), ports: z.coerce.number() }) });
    const error = await refusalOf(host({ lab: picky }, { uri: "nowhere", ports: "many", colour: "red" }));
    expect(error.code).toBe("PLUGIN_CONFIG_INVALID");
    expect(error.message).toMatch(/connection "lab" with plugin "memory": uri: .*ports: .*"colour"/);
  });
});

describe("a host", () => {
  it("opens no plugin to read what it can do, and opens each once, when it is first used", async () => {
    const open = vi.fn(async () => ({}));
    const { names, capabilities, backend: use, close } = await host({ a: variant({ open }), b: variant({ open }) });
    const kinds = Object.keys(memory.backend!.changes);
    expect(names.map((name) => Object.keys(capabilities(name).changes))).toEqual([kinds, kinds]);
    expect(open).not.toHaveBeenCalled();
    await Promise.all([use("a"), use("a")]);
    await use("a");
    expect(open).toHaveBeenCalledOnce();
    await close();
  });

  it("tells a plugin what it may use", async () => {
    const open = vi.fn(async (_config: unknown, _context: object) => ({}));
    const { backend: use, close } = await host(
      { lab: variant({ open, config: z.object({ x: z.string() }) }) },
      { x: "1" },
    );
    await use("lab");
    expect(open.mock.calls[0]![0]).toEqual({ x: "1" });
    expect(open.mock.calls[0]![1]).toMatchObject({ connection: "lab", cacheDirectory: "/nowhere" });
    const { signal } = open.mock.calls[0]![1] as { signal: AbortSignal };
    expect(signal.aborted).toBe(false);
    await close();
    expect(signal.aborted).toBe(true);
  });

  it("knows no other connections than its own, and names them, nearest first", async () => {
    const { backend: use, capabilities } = await host({ local: variant({}), lab: variant({}) });
    const error = await refusalOf(use("labb"));
    expect(error).toMatchObject({ code: "CONNECTION_NOT_FOUND", details: { known: ["lab", "local"] } });
    expect(() => capabilities("labb")).toThrow(DomainError);
  });

  it("tries again to open what could not be opened", async () => {
    let down = true;
    const open = async () => {
      if (down) throw new Error("connection refused");
      return {};
    };
    const { backend: use } = await host({ a: variant({ open }) });
    const error = await refusalOf(use("a"));
    expect(error).toMatchObject({ code: "BACKEND_FAILED", message: expect.stringContaining("connection refused") });
    down = false;
    await expect(use("a")).resolves.toMatchObject({ connection: "a" });
  });

  it("opens nothing any more once it is closed", async () => {
    const { backend: use, close } = await host({ a: variant({}) });
    await close();
    expect(await refusalOf(use("a"))).toMatchObject({ code: "BACKEND_UNAVAILABLE" });
  });

  it("closes the last opened first, and goes on after one that fails or hangs", async () => {
    const closed: string[] = [];
    const closing = (name: string, end: () => Promise<void>) =>
      variant({
        async close() {
          closed.push(name);
          await end();
        },
      });
    const opened = await host({
      first: closing("first", async () => undefined),
      fails: closing("fails", async () => Promise.reject(new Error("no"))),
      throws: variant({
        close() {
          closed.push("throws");
          throw new Error("at once");
        },
      }),
      unused: closing("unused", async () => undefined),
    });
    for (const name of ["first", "fails", "throws"]) await opened.backend(name);
    await opened.close();
    expect(closed).toEqual(["throws", "fails", "first"]);
    await opened.close();
    expect(closed).toHaveLength(3);
  });

  it("waits no more than 5 s for a plugin that does not close", async () => {
    const opened = await host({ hangs: variant({ close: () => new Promise(() => undefined) }) });
    await opened.backend("hangs");
    const began = performance.now();
    await opened.close();
    expect(performance.now() - began).toBeGreaterThan(4_900);
  });
});

describe("what a plugin throws", () => {
  const fault = new Error("cannot allocate memory");
  const broken = variant({
    backend: {
      ...backend,
      list: () => Promise.reject(fault),
      // A plugin in JavaScript may throw at once instead of rejecting.
      observe: () => {
        throw fault;
      },
      lookup: () => Promise.reject(new DomainError("VM_PAUSED", { vm: "web", reason: "I/O error" })),
      host: () => Promise.reject("a text"),
      images: () =>
        ({
          imageDirectory: "/i",
          isoDirectories: [],
          isos: () => Promise.reject(fault),
          space: () => Promise.reject(fault),
        }) as never,
      changes: { "vm.delete": { running: "now", apply: () => Promise.reject(fault) } },
    },
  });
  const applying = { signal: AbortSignal.timeout(1_000), progress: () => undefined };

  it("is BACKEND_FAILED with what was being done, its reason, and the original as cause", async () => {
    const opened = await (await host({ lab: broken })).backend("lab");
    const works: [string, Promise<unknown>][] = [
      ["list", opened.list()],
      ["observe", opened.observe("x")],
      ["list ISOs", opened.images.isos()],
      ["read the free space", opened.images.space()],
      ["vm.delete", opened.apply(undefined, { kind: "vm.delete" }, applying)],
    ];
    for (const [change, work] of works) {
      const error = await refusalOf(work);
      const details = { connection: "lab", change, reason: "cannot allocate memory" };
      expect(error, change).toMatchObject({ code: "BACKEND_FAILED", details, cause: fault });
    }
    expect((await refusalOf(opened.host())).details).toMatchObject({ reason: "a text" });
  });

  it("stays what it is when it is a refusal", async () => {
    const opened = await (await host({ lab: broken })).backend("lab");
    expect(await refusalOf(opened.lookup("web"))).toMatchObject({ code: "VM_PAUSED" });
  });

  it("is CHANGE_UNSUPPORTED, with what is supported, for a change without a handler", async () => {
    const opened = await (await host({ lab: broken })).backend("lab");
    const error = await refusalOf(opened.apply(undefined, { kind: "saved_state.discard" }, applying));
    expect(error).toMatchObject({
      code: "CHANGE_UNSUPPORTED",
      details: { supported: ["vm.delete"], backend: "memory" },
    });
  });
});
