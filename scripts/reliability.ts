// The full run of test/reliability and of the boot matrix, which takes long, and its figures: `npm run reliability [FILTER...]`. CI runs the same
// tests with smaller numbers.

import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";

const root = fileURLToPath(new URL("..", import.meta.url));
const directory = await mkdtemp(join(tmpdir(), "bootwright-figures-"));
const figures = join(directory, "figures.jsonl");
const filters = process.argv.slice(2);
const everything = ["test/reliability", "test/plugins/libvirt/boot-matrix"];
const run = await execa(
  join(root, "node_modules/.bin/vitest"),
  ["run", ...(filters.length > 0 ? filters.map((filter) => `test/reliability/${filter}`) : everything)],
  {
    cwd: root,
    stdio: ["ignore", "inherit", "inherit"],
    reject: false,
    env: { BOOTWRIGHT_RELIABILITY: "full", BOOTWRIGHT_FIGURES: figures },
  },
);
const lines = (await readFile(figures, "utf8").catch(() => "")).split("\n").filter(Boolean);
console.log("\nFigures:");
for (const { name, value } of lines.map((line) => JSON.parse(line))) console.log(`  ${name}: ${value}`);
await rm(directory, { recursive: true });
process.exitCode = run.exitCode ?? 1;
