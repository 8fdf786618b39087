// deno run --allow-read --allow-write --allow-env --allow-sys --allow-run --allow-net
//
// Plugins on a server on Deno: what reaches further than its permissions is stopped, what never ends is ended, and the
// server goes on.
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type BootwrightClient, openClient, serverPath } from "../support/client.ts";
import { permissionsFor } from "../support/deno.ts";
import { check, hasFailed } from "../support/deno-check.ts";

const fixture = (name: string) => fileURLToPath(new URL(`../plugin-host/plugins/${name}.ts`, import.meta.url));

async function until(what: string, look: () => Promise<boolean> | boolean): Promise<void> {
  for (const ends = Date.now() + 60_000; ; ) {
    if (await look()) return;
    if (Date.now() > ends) throw new Error(`waited for a minute until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

type World = Readonly<{ server: BootwrightClient; directory: string }>;

/** A server that may reach this port, with plugins below a directory that they are told of. */
async function withPlugins(
  plugins: (directory: string) => readonly string[],
  net: readonly string[],
  work: (world: World) => Promise<void>,
  more: readonly string[] = [],
): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "bw-test-deno-"));
  for (const made of ["tmp", "own"]) mkdirSync(join(directory, made));
  const flags = [
    "--unstable-worker-options",
    ...permissionsFor(directory, "memory"),
    ...net.map((one) => `--allow-net=${one}`),
    ...more,
  ];
  const server = await openClient({
    command: [process.execPath, "run", "--no-prompt", ...flags, serverPath],
    settings: [
      ...["--data", join(directory, "data"), "--connection", "local=memory"],
      ...plugins(directory).flatMap((plugin) => ["--plugin", plugin]),
    ],
    env: {
      NO_COLOR: "1",
      BOOTWRIGHT_SECRET: "s3cret",
      TMPDIR: join(directory, "tmp"),
      XDG_CACHE_HOME: join(directory, "cache"),
      XDG_CONFIG_HOME: directory,
    },
  });
  try {
    await until("every plugin has a place among the events", async () =>
      (await server.call("list_plugins")).plugins.every(({ behind }) => behind === 0),
    );
    await work({ server, directory });
  } catch (error) {
    throw new Error(`${error instanceof Error ? error.message : error}\n${server.stderr()}`);
  } finally {
    await server.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

const listener = createServer((socket) => socket.destroy());
await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
const { port } = listener.address() as AddressInfo;
const host = `127.0.0.1:${port}`;

const tried = async ({ server }: World): Promise<readonly string[]> => {
  await server.call("create_vm", { name: "web" });
  await until("the plugin has tried", () => server.stderr().includes("reaches: tried"));
  return server
    .stderr()
    .split("\n")
    .filter((line) => line.includes("reaches: could"));
};
function expectLines(seen: readonly string[], expected: readonly RegExp[]): void {
  const missing = expected.filter((pattern) => !seen.some((line) => pattern.test(line)));
  if (missing.length || seen.length !== expected.length)
    throw new Error(`expected ${expected.join(" ")}, saw:\n${seen.join("\n")}`);
}
const stopped = [
  /could not read a file: NotCapable/,
  /could not read the database: NotCapable/,
  /could not write a file: NotCapable/,
  /could not run a program: NotCapable/,
  /could not read the environment: NotCapable/,
  /could not ask for the system's name: NotCapable/,
  /could not start a worker that may more: NotCapable/,
];

await check("a plugin that reaches further is stopped, and may what it said that it needs", () =>
  withPlugins(
    (directory) => [`${fixture("reaches")},directory=${directory},port=${port}`],
    [host],
    async (world) =>
      expectLines(await tried(world), [...stopped, /could not reach a host: NotCapable/, /could write where it said/]),
  ),
);

await check("a host that it names is reached where the server may reach it", () =>
  withPlugins(
    (directory) => [`${fixture("reaches")},directory=${directory},port=${port},net=${host}`],
    [host],
    async (world) => expectLines(await tried(world), [...stopped, /could reach a host/, /could write where it said/]),
  ),
);

await check("and not where the server may not", () =>
  withPlugins(
    (directory) => [`${fixture("reaches")},directory=${directory},port=${port},net=${host}`],
    [],
    async (world) =>
      expectLines(await tried(world), [...stopped, /could not reach a host: NotCapable/, /could write where it said/]),
  ),
);

await check("a function that never ends is ended, and the server goes on", () =>
  withPlugins(
    () => [fixture("loops")],
    [],
    async ({ server }) => {
      await server.call("create_vm", { name: "web" });
      await until("it was terminated", () => server.stderr().includes('loops: Plugin "loops" was terminated'));
      if ((await server.call("list_vms")).total !== 1) throw new Error("the VM is gone");
    },
  ),
);

await check("a plugin that `bootwright plugin new` writes is told of events", () => {
  const directory = mkdtempSync(join(tmpdir(), "bw-test-deno-new-"));
  const root = join(directory, "greet");
  const args = [
    "run",
    "--no-prompt",
    ...permissionsFor(directory, "memory"),
    serverPath,
    "plugin",
    "new",
    "greet",
    root,
  ];
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: "utf8", timeout: 120_000 });
  if (status !== 0) throw new Error(stderr);
  return withPlugins(
    () => [join(root, "index.ts")],
    [],
    async ({ server }) => {
      await server.call("create_vm", { name: "web", iso_path: "installer.iso" });
      await server.call("start_vm", { vm: "web" });
      await until("it has told", () => server.stderr().includes("greet: Good news: web has started from cdrom"));
    },
    [`--allow-read=${directory}`],
  ).finally(() => rmSync(directory, { recursive: true, force: true }));
});

await check("a plugin that is not there is told from one that is there and cannot be loaded", async () => {
  const directory = mkdtempSync(join(tmpdir(), "bw-test-deno-"));
  const written = (name: string, text: string) => {
    const path = join(directory, name);
    writeFileSync(path, text);
    return path;
  };
  const cases: readonly (readonly [string, RegExp])[] = [
    [join(directory, "none.ts"), /^bootwright: PLUGIN_NOT_FOUND: Cannot load plugin ".*none\.ts"/],
    ["no-such-package-of-bootwright", /^bootwright: PLUGIN_NOT_FOUND: /],
    ["http://127.0.0.1:1/none.js", /^bootwright: PLUGIN_NOT_FOUND: /],
    [written("broken.ts", "export default {"), /^bootwright: PLUGIN_INVALID: .*SyntaxError/],
    [written("throws.ts", 'throw new Error("out of order");'), /^bootwright: PLUGIN_INVALID: .*out of order/],
    [written("imports.ts", 'import "./gone.ts";'), /^bootwright: PLUGIN_INVALID: .*gone\.ts/],
  ];
  try {
    for (const [plugin, expected] of cases) {
      const permissions = [
        "--unstable-worker-options",
        ...permissionsFor(directory, "memory"),
        "--allow-import=127.0.0.1:1",
      ];
      const settings = ["--data", join(directory, "data"), "--connection", "local=memory", "--plugin", plugin];
      const env = { ...process.env, NO_COLOR: "1", TMPDIR: directory, XDG_CONFIG_HOME: directory };
      const args = ["run", "--no-prompt", ...permissions, serverPath, ...settings];
      const { stderr } = spawnSync(process.execPath, args, { encoding: "utf8", timeout: 120_000, env });
      if (!stderr.split("\n").some((line) => expected.test(line)))
        throw new Error(`expected ${expected} of ${plugin}, saw:\n${stderr}`);
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});

await check("a plugin is loaded from a URL, where the server may import from it", async () => {
  // What lies elsewhere imports from a registry; here there is none, so it does without.
  const source = `export default {
    manifest: { name: "far", api: 1, summary: "Comes from far" },
    config: { safeParse: (data) => ({ success: true, data }) },
    open: async () => undefined,
    close: async () => undefined,
    on: { "vm.created": (_session, event, { log }) => log("told of " + event.type) },
  };`;
  const web = createHttpServer((_request, response) => {
    response.setHeader("content-type", "text/javascript");
    response.end(source);
  });
  await new Promise<void>((resolve) => web.listen(0, "127.0.0.1", resolve));
  const place = `127.0.0.1:${(web.address() as AddressInfo).port}`;
  await withPlugins(
    () => [`http://${place}/plugin.js`],
    [],
    async ({ server }) => {
      await server.call("create_vm", { name: "web" });
      await until("it was told", () => server.stderr().includes("far: told of vm.created"));
    },
    [`--allow-import=${place}`],
  ).finally(() => web.close());
});

listener.close();
process.exit(hasFailed() ? 1 : 0);
