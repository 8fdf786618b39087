/** What is published works where it is installed: the command, the server, and a plugin written against it. */
// @module-tag process
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import manifest from "../package.json" with { type: "json" };
import { openClient } from "./support/client.ts";
import { openHttp } from "./support/http.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const directory = mkdtempSync(join(tmpdir(), "bootwright-build-"));
/** A project of somebody else's, in which the package is installed. */
const project = join(directory, "project");
const modules = join(project, "node_modules");
const command = join(modules, ".bin/bootwright");
let packed: string[];

/** As `npm install` would place it; the dependencies are this repository's own, so that no registry is asked. */
beforeAll(async () => {
  const stage = join(directory, "stage");
  mkdirSync(stage);
  for (const name of ["package.json", "README.md", "LICENSE"]) cpSync(join(root, name), join(stage, name));
  await execa(process.execPath, [join(root, "scripts/build.ts"), "--out", join(stage, "dist")]);
  const { stdout } = await execa("npm", ["pack", "--json", "--ignore-scripts", "--pack-destination", directory], {
    cwd: stage,
  });
  const report = JSON.parse(stdout) as Record<string, { filename: string; files: { path: string }[] }>;
  const [tarball] = Object.values(report);
  packed = tarball!.files.map(({ path }) => path);
  mkdirSync(join(modules, ".bin"), { recursive: true });
  await execa("tar", ["-xzf", join(directory, tarball!.filename), "-C", directory]);
  cpSync(join(directory, "package"), join(modules, manifest.name), { recursive: true });
  symlinkSync(join("..", manifest.name, manifest.bin.bootwright), command);
  for (const name of [...Object.keys(manifest.dependencies), "@types/node"]) {
    mkdirSync(dirname(join(modules, name)), { recursive: true });
    symlinkSync(join(root, "node_modules", name), join(modules, name));
  }
}, 120_000);
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** A whole plugin in TypeScript, as its author writes it. */
const PLUGIN = `
import { definePlugin, DomainError, openImages, type Vm } from "bootwright/plugin";
import { z } from "zod";
const none = async (): Promise<Vm[]> => [];
export default definePlugin({
  manifest: { name: "empty", api: 1, summary: "No VMs at all" },
  config: z.object({ greeting: z.string().default("hello") }),
  open: async ({ greeting }, context) => ({ greeting, context }),
  close: async () => {},
  backend: {
    list: none,
    observe: async () => undefined,
    lookup: async () => undefined,
    host: async () => ({ memoryBytes: 1, cpus: 1 }),
    exportDefinition: async () => "",
    importDefinition: async () => { throw new DomainError("VM_NOT_FOUND", { vm: "any", known: [] }); },
    images: ({ context: { signal } }) => openImages({ imageDirectory: "/nowhere", isoDirectories: [], signal }),
    guest: {
      async info({ greeting }, uuid, signal) {
        signal?.throwIfAborted();
        return { osName: greeting + uuid.toUpperCase(), filesystems: [] };
      },
    },
    changes: {},
  },
});
`;

/** Compiles a file of the project as its author would. */
const typeChecked = (file: string) =>
  execa(
    join(root, "node_modules/.bin/tsc"),
    ["--strict", "--target", "esnext", "--module", "nodenext", "--types", "node", file],
    { cwd: project, reject: false },
  );

describe("the packed package", () => {
  test("holds JavaScript, the plugin API's declarations, the readme and the licence, and no TypeScript source", () => {
    expect(packed).toEqual(expect.arrayContaining(["LICENSE", "README.md", "package.json"]));
    expect(packed).toContain("dist/src/plugin.d.ts");
    expect(packed.filter((path) => !path.startsWith("dist/")).length).toBe(3);
    const others = packed.filter((path) => !/\.(js|d\.ts)$/.test(path) && path.startsWith("dist/"));
    expect(others.filter((path) => !path.startsWith("dist/ui/dist/"))).toEqual([]);
  });

  test("brings a command that knows its version and lists the tools", async () => {
    expect((await execa(command, ["--version"])).stdout).toBe(manifest.version);
    const listed = await execa(command, ["tools", "--data", join(directory, "data")]);
    expect(listed.stdout).toMatch(/^create_vm /m);
  });

  test("serves MCP, and keeps a VM in a new database", async () => {
    const server = await openClient({
      settings: ["--data", join(directory, "data"), "--connection", "local=memory"],
      command: [command],
    });
    try {
      expect((await server.client.listTools()).tools.length).toBeGreaterThan(10);
      await server.call("create_vm", { name: "web", iso_path: "installer.iso", disk_size_gb: 5 });
      expect((await server.call("list_vms")).vms.map(({ name }) => name)).toEqual(["web"]);
    } finally {
      await server.close();
    }
  });

  test("serves the web page, and brings the panel", async () => {
    const { url, token } = await openHttp({ command: [command] });
    const asked = { headers: { authorization: `Bearer ${token}`, accept: "text/html" } };
    const page = await (await fetch(`${url}/`, asked)).text();
    // All of it stands in the one file, but for the console's viewer.
    const [, script] = /import\(`\.(\/assets\/[^`]+)`\)/.exec(page) ?? [];
    const response = await fetch(`${url}${script}`, asked);
    expect([response.status, response.headers.get("content-type")]).toEqual([200, "text/javascript; charset=utf-8"]);
    expect(packed).toContain("dist/ui/dist/panel.html");
  });

  test("tells the functions of plugins, of one that ships and of one that lies elsewhere", async () => {
    const hello = join(directory, "hello/index.js");
    mkdirSync(dirname(hello));
    writeFileSync(join(directory, "hello/package.json"), JSON.stringify({ type: "module" }));
    writeFileSync(
      hello,
      `import { definePlugin } from "bootwright/plugin";
       export default definePlugin({
         manifest: { name: "hello", api: 1, summary: "Says what it is told" },
         on: { "vm.created": (_session, event, { log }) => log("told of " + event.type) },
       });`,
    );
    const audit = join(directory, "audit");
    const server = await openClient({
      settings: [
        ...["--data", join(directory, "plugins"), "--connection", "local=memory"],
        ...["--plugin", hello, "--plugin", `audit-log,directory=${audit}`],
      ],
      command: [command],
      env: { XDG_CACHE_HOME: join(directory, "cache") },
    });
    const limit = { timeout: 100_000 };
    try {
      const ready = async () => (await server.call("list_plugins")).plugins.every(({ behind }) => behind === 0);
      await expect.poll(ready, limit).toBe(true);
      await server.call("create_vm", { name: "made" });
      await expect.poll(server.stderr, limit).toContain("hello: told of vm.created");
      await expect.poll(() => existsSync(join(audit, "audit-000001.jsonl")), limit).toBe(true);
    } finally {
      await server.close();
    }
  });

  test("loads its libvirt plugin", async () => {
    const settings = ["--data", join(directory, "data"), "--connection", "local=libvirt,uri=qemu+ssh://far/system"];
    const refused = await execa(command, [...settings, "call", "get_vm", "vm=web"], { reject: false });
    expect(refused.stderr).toContain('the transport "ssh" is not supported');
  });

  test("says what is wrong with a plugin that has half a group, or a method where none is called", async () => {
    const wrong = { "half.ts": "display: {},", "outside.ts": "console: async () => undefined," };
    const said = { "half.ts": /'console' is missing/, "outside.ts": /'console' does not exist/ };
    writeFileSync(join(project, "package.json"), JSON.stringify({ type: "module" }));
    for (const [file, part] of Object.entries(wrong)) {
      writeFileSync(join(project, file), PLUGIN.replace("changes: {},", `${part} changes: {},`));
      const { stdout } = await typeChecked(file);
      expect(stdout).toMatch(said[file as keyof typeof said]);
    }
  });

  test("lets a plugin be written, type-checked, built and loaded", async () => {
    writeFileSync(join(project, "package.json"), JSON.stringify({ type: "module" }));
    writeFileSync(join(project, "empty.ts"), PLUGIN);
    expect((await typeChecked("empty.ts")).stdout).toBe("");
    const connection = `far=${join(project, "empty.js")},greeting=good day`;
    const settings = ["--data", join(directory, "data"), "--connection", connection];
    const { stdout } = await execa(command, [...settings, "call", "list_vms"]);
    expect(JSON.parse(stdout)).toEqual({ vms: [], total: 0, unreachable: [] });
  });
});
