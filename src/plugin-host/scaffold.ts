/** Writes a new working plugin with its test. */
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";

/** Writes the plugin into `directory`, by default `./NAME`. Returns the absolute path.
 * @throws Error for a bad name, or a directory that is not empty */
export function writePlugin(name: string, directory = name): string {
  if (!/^[a-z][a-z0-9-]{0,63}$/.test(name))
    throw new Error(`"${name}" is no name for a plugin: a-z, 0-9 and -, 64 characters at most`);
  const root = resolve(directory);
  if (existsSync(root) && readdirSync(root).length > 0) throw new Error(`${root} exists and is not empty`);
  for (const [path, text] of Object.entries({ ...files(name), ...linked() })) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return root;
}

const json = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`;

const files = (name: string) => ({
  "index.ts": `import { definePlugin, z } from "bootwright/plugin";

/** What the settings may say: --plugin ./${name}/index.ts,greeting=Hello */
const Config = z.object({ greeting: z.string().default("Good news") });
type Config = z.infer<typeof Config>;

export default definePlugin<Config, Config>({
  manifest: {
    name: "${name}",
    api: 1,
    summary: "Says which VM has started, and from what",
    permissions: ["vm:read"],
  },
  config: Config,

  // The result is the first argument of every function below: connections, counters, whatever you need.
  async open(config) {
    return config;
  },

  on: {
    // An event may arrive twice, with the same event.id. An error here makes Bootwright deliver the event again later.
    "vm.started": async ({ greeting }, event, { call, log }) => {
      const vm = await call("get_vm", { vm: event.subject });
      log(\`\${greeting}: \${vm.name} has started from \${vm.current_boot_device}\`);
    },
  },
});
`,
  "index.test.ts": `import assert from "node:assert/strict";
import { test } from "node:test";
import { openPlugin } from "bootwright/plugin-test";
import plugin from "./index.ts";

test("says which VM has started, and from what", async () => {
  const opened = await openPlugin(plugin, { greeting: "Look" }, {
    get_vm: () => ({ name: "web", current_boot_device: "hd" }),
  });
  await opened.emit("vm.started");
  assert.deepEqual(opened.calls, [{ tool: "get_vm", args: { vm: "vm-1" } }]);
  assert.deepEqual(opened.lines, ["Look: web has started from hd"]);
  await opened.close();
});
`,
  "package.json": json({
    name: `bootwright-${name}`,
    version: "0.1.0",
    type: "module",
    exports: "./index.js",
    files: ["index.js"],
    scripts: { test: "node --test" },
    peerDependencies: { bootwright: "*" },
    peerDependenciesMeta: { bootwright: { optional: true } },
  }),
  "README.md": `# ${name}

A plugin for Bootwright.

- Test it: \`npm test\`
- Use it: \`bootwright --plugin ./${name}/index.ts,greeting=Hello\`

\`node_modules/bootwright\` links to the Bootwright that wrote this. To publish it, compile \`index.ts\` to \`index.js\`:
neither Node nor Deno runs TypeScript from below node_modules.
`,
  ".gitignore": "node_modules\n",
});

/** Does what `npm link` would do: imports resolve to the running Bootwright. */
function linked(): Record<string, string> {
  const modules = { plugin: `../plugin.${extension}`, "plugin-test": `../plugin-test.${extension}` };
  const entries = Object.entries(modules).flatMap(([name, path]) => {
    const url = new URL(path, import.meta.url);
    return [
      [`node_modules/bootwright/${name}.js`, `export * from ${JSON.stringify(url.href)};\n`],
      [`node_modules/bootwright/${name}.d.ts`, `export * from ${JSON.stringify(fileURLToPath(url))};\n`],
    ];
  });
  const exported = Object.keys(modules).map((name) => [
    `./${name}`,
    { types: `./${name}.d.ts`, default: `./${name}.js` },
  ]);
  const manifest = { name: "bootwright", version: "0.0.0", type: "module", exports: Object.fromEntries(exported) };
  return { ...Object.fromEntries(entries), "node_modules/bootwright/package.json": json(manifest) };
}
