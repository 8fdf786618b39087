// Builds the web page from ui/ into ui/dist/. Nothing is done where it is built from the same files already, unless --force
// is given.
//
//   node scripts/page.ts [--force] [--out DIRECTORY]

import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const root = fileURLToPath(new URL("..", import.meta.url));
const ui = join(root, "ui");
const { values } = parseArgs({
  options: { force: { type: "boolean" }, out: { type: "string", default: join(ui, "dist") } },
});
const out = resolve(values.out);

const sources = readdirSync(ui, { recursive: true, encoding: "utf8", withFileTypes: true })
  .filter((entry) => entry.isFile() && !entry.parentPath.startsWith(join(ui, "dist")))
  .map(({ parentPath, name }) => join(parentPath, name))
  .sort();
const hash = createHash("sha256");
for (const file of [...sources, join(root, "package-lock.json"), fileURLToPath(import.meta.url)])
  hash.update(file.slice(root.length)).update("\0").update(readFileSync(file)).update("\0");
const identity = hash.digest("hex");
const marker = join(out, "built-from");

const isBuilt = () => {
  try {
    return readFileSync(marker, "utf8") === identity;
  } catch {
    return false;
  }
};
if (values.force || !isBuilt()) {
  const { build } = await import("vite");
  await build({
    root: ui,
    configFile: false,
    logLevel: "warn",
    base: "/",
    oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
    build: { outDir: out, emptyOutDir: true, target: "baseline-widely-available", modulePreload: false },
  });
  writeFileSync(marker, identity);
}
