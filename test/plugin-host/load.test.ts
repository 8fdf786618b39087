// @module-tag process
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { temporaryDirectory } from "../support/memory.ts";
import { acts, open, pluginFile, refusalOf } from "./harness.ts";

const load = (text: string, config: Record<string, unknown> = {}, openMs = 30_000) =>
  refusalOf(
    open([{ plugin: pluginFile(`import { definePlugin, z } from "%API%"; ${text}`), config }], { limits: { openMs } }),
  );
const define = (parts: string) => `export default definePlugin({ ${parts} });`;
const manifest = (more = "") => `manifest: { name: "odd", api: 1, summary: "Odd", ${more} },`;
const on = `on: { "vm.started": () => undefined },`;

describe("openPluginFunctions() refuses a plugin", () => {
  const cases: [string, string, string, RegExp][] = [
    ["that throws as it is loaded", "throw new Error('out of order');", "PLUGIN_INVALID", /out of order/],
    ["that cannot be parsed", "export default {", "PLUGIN_INVALID", /Expected/],
    ["that imports a file that is not there", 'import "./gone.ts";', "PLUGIN_INVALID", /gone\.ts/],
    ["that imports a package that is not there", 'import "gone";', "PLUGIN_INVALID", /package 'gone'/],
    ["that ends its process", "process.exit(4);", "PLUGIN_INVALID", /ended with code 4/],
    ["that definePlugin() did not make", "export default { manifest: {} };", "PLUGIN_INVALID", /made by definePlugin/],
    [
      "of another API",
      define(`manifest: { name: "odd", api: 7, summary: "Odd" }, ${on}`),
      "PLUGIN_INVALID",
      /API 7; this program has 1/,
    ],
    [
      "with a name that is none",
      define(`manifest: { name: "Odd one", api: 1, summary: "Odd" }, ${on}`),
      "PLUGIN_INVALID",
      /manifest.name: expected a name of a-z/,
    ],
    [
      "with a permission that there is not",
      define(`${manifest('permissions: ["vm:all"]')} ${on}`),
      "PLUGIN_INVALID",
      /manifest.permissions.0: expected some of vm:read, vm:write, vm:destroy/,
    ],
    [
      "with a limit beyond the longest",
      define(`${manifest("limitMs: 60001")} ${on}`),
      "PLUGIN_INVALID",
      /manifest.limitMs: .*60000/,
    ],
    [
      "of events that there are not",
      define(`${manifest()} on: { "vm.start": () => undefined }`),
      "PLUGIN_INVALID",
      /no event "vm.start"; nearest: vm.started/,
    ],
    [
      "with something else than a function",
      define(`${manifest()} on: { "vm.started": 1 }`),
      "PLUGIN_INVALID",
      /"vm.started" is no function/,
    ],
    ["that brings nothing", define(manifest()), "PLUGIN_INVALID", /neither a backend nor functions/],
    [
      "that brings a backend alone",
      define(`${manifest()} backend: {}`),
      "PLUGIN_INVALID",
      /no functions.*--connection/,
    ],
    [
      "whose reach is none",
      define(`${manifest()} ${on} reach: () => ({ net: [""], sys: ["all"] })`),
      "PLUGIN_INVALID",
      /reach.*sys/,
    ],
  ];
  it.each(cases)("%s", async (_what, text, code, message) => {
    const error = await load(text);
    expect(error.message).toMatch(message);
    expect(error.code).toBe(code);
    expect(error.message).toContain("plugin.ts");
  });

  it.each([
    ["never comes to its end", "for (;;);"],
    ["waits for ever", "await new Promise(() => setTimeout(() => {}, 1e6));"],
  ])("that %s as it is loaded", async (_what, text) => {
    const error = await load(text, {}, 1_000);
    expect(error).toMatchObject({ code: "PLUGIN_INVALID", details: { reason: "it was not loaded within 1 s" } });
  });

  it("with settings that it does not take, each named", async () => {
    const error = await load(define(`${manifest()} ${on} config: z.strictObject({ url: z.url(), n: z.number() })`), {
      url: "x",
      colour: 1,
    });
    expect(error.code).toBe("PLUGIN_CONFIG_INVALID");
    expect(error.message).toMatch(/Cannot open plugin "odd": url: .*n: .*"colour"/);
    expect(await load(define(`${manifest()} ${on}`), { any: 1 })).toMatchObject({ code: "PLUGIN_CONFIG_INVALID" });
  });

  it("that reaches for what Bootwright keeps", async () => {
    const data = temporaryDirectory();
    const plugin = pluginFile(
      `import { definePlugin } from "%API%"; ${define(`${manifest()} ${on} reach: () => ({ write: [${JSON.stringify(join(data, ".."))}] })`)}`,
    );
    const error = await refusalOf(open([{ plugin, config: {} }], { data }));
    expect(error).toMatchObject({
      code: "PLUGIN_INVALID",
      message: expect.stringMatching(/it asks to reach .*Bootwright's data directory/),
    });
  });

  it("that is not there, by path or by name", async () => {
    for (const plugin of [
      "./no/such.ts",
      "./test/host",
      "no-such-package-of-bootwright",
      "@no-such/package/of",
      "toString",
    ])
      expect(await refusalOf(open([{ plugin, config: {} }]))).toMatchObject({
        code: "PLUGIN_NOT_FOUND",
        message: expect.stringContaining(`"${plugin}"`),
      });
  });

  it("that goes by the name of another, unless it is given one", async () => {
    const twice = { plugin: acts, config: {} };
    expect(await refusalOf(open([twice, twice]))).toMatchObject({
      code: "PLUGIN_NAME_TAKEN",
      details: { name: "acts", plugins: [acts, acts] },
    });
    const host = await open([twice, { ...twice, name: "second" }]);
    expect((await host.list()).map(({ name, plugin }) => [name, plugin])).toEqual([
      ["acts", "acts"],
      ["second", "acts"],
    ]);
  });
});

describe("openPluginFunctions() loads a plugin", () => {
  const hello = define(`${manifest()} on: { "vm.started": (_s, event, { log }) => log("seen " + event.type) }`);

  it("that ships, by its name", async () => {
    const path = pluginFile(`import { definePlugin } from "%API%"; ${hello}`);
    const host = await open([{ plugin: "watch", config: {} }], {
      shipped: (name) => (name === "watch" ? new URL(`file://${path}`) : undefined),
    });
    await host.deliver({});
    expect(host.lines).toEqual(["odd: seen vm.started"]);
  });

  it("that imports bootwright/plugin, whether or not that is installed where it lies", async () => {
    const host = await open([
      { plugin: pluginFile(`import { definePlugin } from "bootwright/plugin"; ${hello}`), config: {} },
    ]);
    await host.deliver({});
    expect(host.lines).toEqual(["odd: seen vm.started"]);
  });

  it("that is installed where Bootwright was started, as built JavaScript", async () => {
    const path = pluginFile(
      `import { definePlugin } from "bootwright/plugin"; ${hello}`,
      "node_modules/bootwright-odd/index.js",
    );
    writeFileSync(join(path, "../package.json"), JSON.stringify({ type: "module", exports: "./index.js" }));
    const before = process.cwd();
    process.chdir(join(path, "../../.."));
    try {
      const host = await open([{ plugin: "bootwright-odd", config: {} }]);
      await host.deliver({});
      expect(host.lines).toEqual(["odd: seen vm.started"]);
    } finally {
      process.chdir(before);
    }
  });

  it("with its settings as its schema makes them, and a fingerprint and a cache of its own", async () => {
    const path = pluginFile(
      `import { definePlugin, z } from "%API%";
       import { writeFileSync } from "node:fs";
       export default definePlugin({
         manifest: { name: "keeps", api: 1, summary: "Keeps" },
         config: z.object({ urls: z.array(z.object({ url: z.url() })), n: z.coerce.number() }),
         reach: ({ urls }) => ({ net: urls.map(({ url }) => new URL(url).host) }),
         async open(config, { fingerprint, cacheDirectory, connection, log }) {
           writeFileSync(cacheDirectory + "/kept", "1");
           log(JSON.stringify([config, connection, fingerprint("a"), fingerprint("a") === fingerprint("b")]));
         },
         on: { "vm.started": () => undefined },
       });`,
    );
    const config = { urls: [{ url: "https://example.org:8443/x" }], n: "7" };
    const host = await open([{ name: "mine", plugin: path, config }]);
    expect((await host.list())[0]).toMatchObject({
      name: "mine",
      plugin: "keeps",
      reach: { net: ["example.org:8443"] },
    });
    await host.deliver({});
    expect(JSON.parse(host.lines[0]!.slice("mine: ".length))).toEqual([
      { ...config, n: 7 },
      "mine",
      expect.stringMatching(/^[\w-]{43}$/),
      false,
    ]);
  });
});
