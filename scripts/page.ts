// Builds the web page from ui/ into ui/dist/. Nothing is done where it is built from the same files already, unless --force
// is given.
//
//   node scripts/page.ts [--force] [--out DIRECTORY]

import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import type { Rollup } from "vite";

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
const MARKER = "built-from";
/** It is put in its place whole, since a server may read there, or another build be under way. */
const made = `${out}.${process.pid}`;

const isBuilt = () => {
  try {
    return readFileSync(join(out, MARKER), "utf8") === identity;
  } catch {
    return false;
  }
};
if (values.force || !isBuilt()) {
  mkdirSync(dirname(out), { recursive: true });
  try {
    await makePage();
    // Another build may have put the same there meanwhile, and a server may be reading it.
    if (values.force || !isBuilt()) {
      rmSync(out, { recursive: true, force: true });
      renameSync(made, out);
    }
  } catch (error) {
    // Somebody else may have built the same at the same time.
    if (!isBuilt()) throw error;
  } finally {
    rmSync(made, { recursive: true, force: true });
  }
}

async function makePage(): Promise<void> {
  // The libraries leave their checks for developers out by it, whoever starts this.
  process.env.NODE_ENV = "production";
  const { build } = await import("vite");
  const shared = {
    root: ui,
    configFile: false,
    logLevel: "warn",
    // Shorter than what the automatic runtime calls, which wraps all children in a property: 1,600 bytes of the panel.
    oxc: {
      jsx: { runtime: "classic", pragma: "h", pragmaFrag: "Fragment" },
      jsxInject: 'import { h, Fragment } from "preact";',
    },
  } as const;
  const target = "baseline-widely-available";
  // Where light-dark() is known, in all browsers since 2024; without that it is written out at three times the length.
  const cssTarget = ["chrome123", "firefox120", "safari17.5"];
  await build({
    ...shared,
    base: "/",
    build: {
      ...{ outDir: made, emptyOutDir: true, target, cssTarget, modulePreload: false },
      // Beside the page, since what it loads later is named from where it stands.
      rollupOptions: { output: { entryFileNames: "[name]-[hash].js" } },
    },
  });
  pullIn(made);
  const built = await build({
    ...shared,
    build: { target, cssTarget, write: false, rollupOptions: { input: join(ui, "panel/panel.tsx") } },
  });
  writeFileSync(join(made, "panel.html"), inOneFile((built as Rollup.RollupOutput).output));
  writeFileSync(join(made, MARKER), identity);
}

function scriptOf(code: string): string {
  return `<script type="module">${code.replaceAll("</script", "<\\/script")}</script>`;
}

function styleOf(css: string): string {
  return `<style>${css.replaceAll("</style", "<\\/style")}</style>`;
}

/** What the page needs at once stands in it. */
function pullIn(directory: string): void {
  const take = (path: string) => {
    const text = readFileSync(join(directory, path), "utf8");
    rmSync(join(directory, path));
    return text;
  };
  const page = join(directory, "index.html");
  const html = readFileSync(page, "utf8")
    .replace(/<script type="module"[^>]* src="\/([^"]+)"><\/script>/, (_tag, path: string) => scriptOf(take(path)))
    .replace(/<link rel="stylesheet"[^>]* href="\/([^"]+)">/, (_tag, path: string) => styleOf(take(path)));
  writeFileSync(page, html);
}

/** The panel is given to hosts as a text, so everything it needs stands in it. */
function inOneFile(parts: Rollup.RollupOutput["output"]): string {
  const scripts = parts.flatMap((part) => (part.type === "chunk" ? [part.code] : []));
  const styles = parts.flatMap((part) =>
    part.type === "asset" && part.fileName.endsWith(".css") ? [String(part.source)] : [],
  );
  return [
    '<!doctype html><html lang="en"><head><meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1"><title>Bootwright</title>',
    `${styleOf(styles.join(""))}</head>`,
    `<body><main id="root" tabindex="-1"></main>${scriptOf(scripts.join(""))}</body></html>\n`,
  ].join("");
}
