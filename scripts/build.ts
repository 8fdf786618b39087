// Makes what is published in dist/: JavaScript of src/ and plugins/, since neither Node nor Deno takes TypeScript below
// node_modules, the declarations that a plugin author's compiler reads, and the web page. Of these the page alone is bundled.
//
//   npm run build [-- --out DIRECTORY]

import { chmod, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { execa } from "execa";

const root = fileURLToPath(new URL("..", import.meta.url));
const { values } = parseArgs({ options: { out: { type: "string", default: join(root, "dist") } } });
const out = resolve(values.out);

const tsc = (...args: string[]) =>
  execa(join(root, "node_modules/.bin/tsc"), args, { cwd: root, stdio: "inherit", reject: false });
const passes = [
  ["-p", "tsconfig.build.json", "--outDir", out],
  // Declarations of the plugin API alone: the rest is nobody's to import.
  ["-p", "tsconfig.plugin.json", "--outDir", out],
];

await rm(out, { recursive: true, force: true });
for (const args of passes) {
  const { exitCode } = await tsc(...args);
  if (exitCode !== 0) process.exit(exitCode ?? 1);
}
await execa(process.execPath, [join(root, "scripts/page.ts"), "--out", join(out, "ui/dist")], { stdio: "inherit" });
await chmod(join(out, "src/main.js"), 0o755);
