/** Who may import whom, as one table. Everything counts as an import: of a type alone, a dynamic one, a
 * re-export. Read from the text, so an import whose name is computed cannot be followed; where one may stand is a rule
 * of its own. */
import { readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import {
  circlesIn,
  codeOf,
  computesAnImport,
  importsOf,
  pathsIn,
  product,
  read,
  root,
  sourcesIn,
} from "./support/import-graph.ts";

type Layer = Readonly<{
  /** A file, a folder with its slash, or with a star all files that begin so. The first row that fits a file is its
   * layer. */
  files: string;
  /** The rule in words, to be discussed before this row is changed. */
  line: string;
  /** Files and folders of this repository that it may import; its own folder goes without saying.
   * After "!" what it may not. */
  may: readonly string[];
  /** `node:` modules too, where only some are allowed. */
  packages: readonly string[];
  /** Whether it may use `node:` modules: the domain and the tools run anywhere JavaScript runs. */
  node: boolean;
}>;

/** A folder of the domain: it imports those before it, and never one behind it. */
const domainRow = (folder: string, what: string, may: readonly string[]): Layer[] => [
  { files: `src/domain/${folder}/`, line: `domain/${folder}: ${what}`, may, packages: ["zod"], node: false },
];

const table: readonly Layer[] = [
  { files: "src/main.ts", line: "main -> everything", may: ["src/", "plugins/"], packages: ["*"], node: true },
  {
    files: "src/config/",
    line: "main -> everything, of which config is a part; of other layers it knows the plugin host's settings",
    may: ["src/plugin-host/"],
    packages: ["zod"],
    node: true,
  },
  {
    files: "src/plugin.ts",
    line: "plugin -> domain, host access, images, display",
    may: ["src/domain/", "src/host-access/", "src/images/", "src/display/"],
    packages: ["zod"],
    node: false,
  },
  {
    files: "src/plugin-test.ts",
    line: "plugin-test -> plugin, domain: it is for the tests of plugins, and nothing here uses it",
    may: ["src/plugin.ts", "src/domain/"],
    packages: [],
    node: false,
  },
  {
    files: "src/plugin-host/",
    line: "plugin host -> plugin, domain",
    may: ["src/plugin.ts", "src/domain/"],
    // The second as a text alone: it is what a new plugin imports.
    packages: ["zod", "bootwright"],
    node: true,
  },
  ...domainRow("model", "what is true: no change, no I/O", ["src/domain/error.ts"]),
  ...domainRow("changes", "what can be changed, on what is true", ["src/domain/model/", "src/domain/error.ts"]),
  ...domainRow("ports", "what the domain needs of the world", [
    ...["src/domain/model/", "src/domain/changes/", "src/domain/deadline.ts"],
  ]),
  ...domainRow("engine", "carrying changes out, through the ports", [
    ...["src/domain/model/", "src/domain/changes/", "src/domain/ports/"],
    ...["src/domain/error.ts", "src/domain/deadline.ts"],
  ]),
  ...domainRow("jobs", "what takes minutes, and makes its changes through the engine", [
    ...["src/domain/model/", "src/domain/ports/", "src/domain/engine/"],
    ...["src/domain/error.ts", "src/domain/deadline.ts"],
  ]),
  ...domainRow("events", "what happened, told through the ports", ["src/domain/model/", "src/domain/ports/"]),
  { files: "src/domain/", line: "domain -> zod and itself", may: [], packages: ["zod"], node: false },
  { files: "src/host-access/", line: "host access -> domain", may: ["src/domain/"], packages: ["execa"], node: true },
  {
    files: "src/images/",
    line: "images -> domain, host access",
    may: ["src/domain/", "src/host-access/"],
    packages: ["zod"],
    node: true,
  },
  {
    files: "src/display/",
    line: "display -> domain, host access",
    may: ["src/domain/", "src/host-access/"],
    packages: [],
    node: true,
  },
  {
    files: "src/store/sqlite/",
    line: "store/sqlite -> store, domain; only store/sqlite/ knows SQLite and files",
    may: ["src/store/", "src/domain/"],
    packages: ["@mikro-orm/sqlite", "@mikro-orm/migrations"],
    node: true,
  },
  {
    files: "src/store/",
    line: "store -> domain; it stands on its ports alone, and any database may be behind them",
    may: ["src/domain/", "!src/store/sqlite/"],
    packages: ["@mikro-orm/core", "node:timers/promises", "node:crypto"],
    node: false,
  },
  { files: "src/tools/", line: "tools -> domain", may: ["src/domain/"], packages: ["zod"], node: false },
  {
    files: "src/serve/mcp/route.ts",
    line: "serve -> tools, domain; where Hono hands a request to MCP, and knows nothing of the SDK",
    may: ["src/serve/", "src/tools/", "src/domain/"],
    packages: ["hono"],
    node: false,
  },
  {
    files: "src/serve/mcp/",
    line: "serve -> tools, domain; only serve/mcp/ knows the MCP SDK",
    may: ["src/serve/", "src/tools/", "src/domain/"],
    packages: ["zod", "@modelcontextprotocol/*"],
    node: true,
  },
  {
    files: "src/serve/http/",
    line: "serve -> tools, domain; only serve/http/ knows Hono and jose, and leaves MCP's SDK to serve/mcp/",
    may: ["src/serve/", "src/tools/", "src/domain/"],
    packages: ["zod", "hono", "@hono/*", "jose", "ws"],
    node: true,
  },
  {
    files: "src/serve/guest-listener.ts",
    line: "serve -> tools, domain; what guests may call is served by Hono too, and by nothing that serves others",
    may: ["src/serve/rate-limit.ts", "src/serve/body.ts", "src/domain/"],
    packages: ["hono", "@hono/*"],
    node: true,
  },
  {
    files: "src/serve/",
    line: "serve -> tools, domain",
    may: ["src/tools/", "src/domain/"],
    packages: ["zod"],
    node: true,
  },
  {
    files: "ui/",
    line: "ui -> its own folder and Preact; of the domain, the tools and what serves it, types alone",
    may: [
      ...["src/domain/error.ts", "src/domain/model/event.ts", "src/domain/model/finding.ts"],
      ...["src/tools/catalogue.ts", "src/tools/respond.ts", "src/serve/http/page.ts", "src/serve/http/http-error.ts"],
    ],
    packages: ["preact", "@preact/signals", "@novnc/novnc"],
    node: false,
  },
  {
    files: "plugins/",
    line: "plugins/* -> plugin only",
    may: ["src/plugin.ts"],
    packages: ["zod", "fast-xml-parser"],
    node: true,
  },
];

const folders = readdirSync(root, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name);
const written = ["src", "plugins", "ui", "test", "scripts", "bench"]
  .filter((name) => folders.includes(name))
  .flatMap(sourcesIn)
  .sort();

const layerOf = (file: string) =>
  table.find(({ files }) => (/[/*]$/.test(files) ? file.startsWith(files.replace("*", "")) : file === files));
/** A plugin's folder is its own; elsewhere the layer is. */
const ownFolderOf = (file: string, { files }: Layer) =>
  files === "plugins/" ? `${file.split("/").slice(0, 2).join("/")}/` : files;
const fits = (name: string, allowed: string) =>
  allowed === "*" ||
  (allowed.endsWith("*") ? name.startsWith(allowed.slice(0, -1)) : name === allowed || name.startsWith(`${allowed}/`));

/** Why this import may not be; undefined when it may. */
function objection(file: string, name: string): string | undefined {
  const layer = layerOf(file)!;
  const discuss = `since the rule is "${layer.line}": discuss that rule before you change the table`;
  if (name.startsWith("node:") && !layer.packages.includes(name))
    return layer.node ? undefined : `${file} must not use ${name}: it runs anywhere JavaScript runs, ${discuss}`;
  if (!name.startsWith(".")) {
    return layer.packages.some((allowed) => fits(name, allowed))
      ? undefined
      : `${file} must not use the package ${name}, ${discuss}`;
  }
  const path = join(dirname(file), name).replaceAll("\\", "/");
  const allowed = [ownFolderOf(file, layer), ...layer.may].some((one) =>
    one.endsWith("/") ? path.startsWith(one) : path === one,
  );
  const isForbidden = layer.may.some((one) => one.startsWith("!") && path.startsWith(one.slice(1)));
  return allowed && !isForbidden ? undefined : `${file} must not import ${path}, ${discuss}`;
}

describe("imports", () => {
  test.each(product)("%s is in a layer and imports only what its layer may", (file) => {
    expect(layerOf(file), `${file} is in no layer: decide who may import it, then add it to the table`).toBeDefined();
    expect(
      importsOf(read(file))
        .map((name) => objection(file, name))
        .filter((found) => found !== undefined),
    ).toEqual([]);
  });

  test("no file imports itself, through whatever others: types count too", () => {
    expect(circlesIn(new Map(product.map((file) => [file, pathsIn(file)])))).toEqual([]);
  });

  test("only the plugin host imports what it is told to", () => {
    expect(product.filter((file) => computesAnImport(read(file)))).toEqual(["src/plugin-host/load.ts"]);
  });

  test("the page takes types alone from the server's side", () => {
    const takes = (file: string) =>
      /^\s*(?:import|export)\s+(?!type\b)[^;]*?from\s*["'](?:\.\.\/)+src\//m.test(codeOf(read(file)));
    expect(sourcesIn("ui").filter(takes)).toEqual([]);
  });

  test.each([
    ["src/domain/model/boot-order.ts", "node:fs"],
    ["src/domain/model/boot-order.ts", "../../store/store.ts"],
    ["src/domain/model/boot-order.ts", "../changes/boot.ts"],
    ["src/domain/changes/boot.ts", "../ports/store.ts"],
    ["src/domain/ports/store.ts", "../engine/operate.ts"],
    ["src/domain/events/watch.ts", "../engine/operate.ts"],
    ["src/domain/model/boot-order.ts", "execa"],
    ["src/tools/boot.ts", "../store/store.ts"],
    ["src/tools/boot.ts", "node:path"],
    ["src/tools/boot.ts", "@modelcontextprotocol/server"],
    ["src/store/store.ts", "../tools/tool.ts"],
    ["src/store/store.ts", "./sqlite/database.ts"],
    ["src/store/store.ts", "@mikro-orm/sqlite"],
    ["src/store/store.ts", "node:fs"],
    ["src/images/images.ts", "../plugin.ts"],
    ["src/plugin.ts", "./host/load.ts"],
    ["src/plugin-host/plugin-functions.ts", "../tools/call.ts"],
    ["src/serve/cli.ts", "@modelcontextprotocol/server"],
    ["src/serve/in-flight-calls.ts", "@modelcontextprotocol/server"],
    ["src/serve/mcp/stdio.ts", "../../store/store.ts"],
    ["src/serve/mcp/resource-handlers.ts", "../../store/store.ts"],
    ["src/serve/mcp/http.ts", "hono"],
    ["src/serve/mcp/route.ts", "@modelcontextprotocol/server"],
    ["plugins/memory/index.ts", "../libvirt/index.ts"],
    ["plugins/memory/index.ts", "../../src/domain/boot.ts"],
    ["plugins/memory/index.ts", "../../src/images/images.ts"],
    ["ui/main.tsx", "../src/domain/model/boot-order.ts"],
    ["ui/main.tsx", "zod"],
    ["plugins/libvirt/client/frames.ts", "execa"],
    ["plugins/libvirt/client/frames.ts", "../../../src/store/store.ts"],
  ])("the table refuses %s the import of %s", (file, name) => {
    expect(objection(file, name)).toContain(layerOf(file)!.line);
  });
});

describe("house rules", () => {
  // On stdio, stdout belongs to MCP: one stray line there and the client hangs up. main.ts prints help and versions.
  const speakers = ["src/serve/cli.ts", "src/serve/token-command.ts", "src/main.ts"];

  test("nothing but the command line writes to stdout", () => {
    const speaks = (file: string) =>
      /\bconsole\.(?:log|info|debug|table|dir)\b|\bprocess\.stdout\b/.test(codeOf(read(file)));
    expect(product.filter((file) => !speakers.includes(file) && speaks(file))).toEqual([]);
  });

  test("no file has more than 300 lines but a generated one: it does two things, so make two files of it", () => {
    const lines = (file: string) => read(file).trimEnd().split("\n").length;
    const long = written.filter((file) => !file.endsWith(".gen.ts") && lines(file) > 300);
    expect(long.map((file) => `${file}: ${lines(file)}`)).toEqual([]);
  });

  test("files are named by what they are about, in kebab case", () => {
    const nameOf = (file: string) => file.slice(file.lastIndexOf("/") + 1);
    const isKebab = (name: string) =>
      /^[a-z0-9]+(?:-[a-z0-9]+)*(?:\.(?:test|real|gen|d|config))*\.[cm]?tsx?$/.test(name);
    const isEmpty = (name: string) => /^(?:utils?|helpers?|types?|common|misc|shared)\./.test(name);
    const isIndex = (file: string) => nameOf(file) === "index.ts" && !/^plugins\/[^/]+\/index\.ts$/.test(file);
    expect(written.filter((file) => !isKebab(nameOf(file)) || isEmpty(nameOf(file)) || isIndex(file))).toEqual([]);
  });
});
