/** The README tells what the program is. */
// @module-tag process
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { describe, expect, test } from "vitest";
import { toolsTable, withParts } from "../scripts/docs.ts";
import { errorCodes } from "../src/domain/error.ts";
import { findingCodes } from "../src/domain/finding.ts";
import { allTools } from "../src/tools/catalogue.ts";
import { open, pluginFile } from "./host/bench.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");

describe("README.md", () => {
  test("has the tables that the program makes", async () => {
    const check = await execa(process.execPath, ["scripts/docs.ts", "--check"], { cwd: root, reject: false });
    expect(check.stderr).toBe("");
    expect(check.exitCode).toBe(0);
  });

  test("names only files that there are", () => {
    const named = [...readme.matchAll(/`((?:src|plugins|test|scripts|bench)\/[\w./-]+)`/g)].map(([, path]) => path!);
    const missing = named.filter((path) => {
      try {
        return !path.endsWith("/") && readFileSync(new URL(`../${path}`, import.meta.url)) === undefined;
      } catch {
        return true;
      }
    });
    expect(named.length).toBeGreaterThan(10);
    expect(missing).toEqual([]);
  });

  test("says about every dependency why it is there", () => {
    const { dependencies, devDependencies } = JSON.parse(
      readFileSync(new URL("../package.json", import.meta.url), "utf8"),
    ) as Record<"dependencies" | "devDependencies", Record<string, string>>;
    const unsaid = Object.keys({ ...dependencies, ...devDependencies }).filter(
      (name) => !readme.includes(`- \`${name}\``) && !readme.includes(`, \`${name}\``),
    );
    expect(unsaid).toEqual([]);
  });
});

describe("docs/plugins.md", () => {
  const text = readFileSync(new URL("../docs/plugins.md", import.meta.url), "utf8");

  test("begins with a plugin that works", async () => {
    const [, smallest] = /```ts\n([\s\S]*?)```/.exec(text)!;
    const host = await open([{ plugin: pluginFile(smallest!, "hello.ts"), config: {} }]);
    await host.tell({});
    expect(host.lines).toEqual([expect.stringMatching(/^hello: [0-9a-f-]{36} has started$/)]);
    expect(readme).toContain(smallest);
  });
});

describe("docs/developers.md", () => {
  const text = readFileSync(new URL("../docs/developers.md", import.meta.url), "utf8");

  test("names only files, commands and variables that there are", () => {
    const paths = [...text.matchAll(/(?<![\w/])(?:src|plugins|test|scripts|bench|docs)\/[\w./-]*\w\/?/g)].map(
      ([path]) => path,
    );
    expect(paths.length).toBeGreaterThan(60);
    // What tests write is there once they have.
    const written = readFileSync(join(root, ".gitignore"), "utf8").split("\n");
    const missing = paths.filter((path) => !written.includes(path) && !existsSync(join(root, path)));
    expect(missing.filter((path) => !path.includes("/NAME/"))).toEqual([]);
    const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { scripts: object };
    const commands = [...text.matchAll(/npm run ([\w:-]+)/g)].map(([, name]) => name!);
    expect(commands.filter((name) => !(name in scripts))).toEqual([]);
    const sources = ["test", "scripts"].flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
        .filter((name) => name.endsWith(".ts") && name !== "docs.test.ts")
        .map((name) => readFileSync(join(root, folder, name), "utf8")),
    );
    const variables = [...text.matchAll(/\b(BOOTWRIGHT_[A-Z]+|UPDATE)\b/g)].map(([, name]) => name!);
    expect(variables.length).toBeGreaterThan(6);
    expect(variables.filter((name) => !sources.some((source) => source.includes(`process.env.${name}`)))).toEqual([]);
  });

  test("takes at most four steps to add anything, and links lead somewhere", () => {
    const recipes = text.split("## How to add")[1]!.split("\n## ")[0]!.split("\n### ").slice(1);
    expect(recipes.length).toBeGreaterThan(8);
    for (const recipe of recipes) expect(recipe.match(/^\d\. /gm)?.length, recipe).toBeLessThanOrEqual(4);
    const links = [...text.matchAll(/\]\(([^)#]+)\)/g)].map(([, path]) => path!);
    expect(links.filter((path) => !existsSync(join(root, "docs", path)))).toEqual([]);
    expect(readme).toContain("(docs/developers.md)");
  });
});

describe("docs/reliability.md", () => {
  const text = readFileSync(new URL("../docs/reliability.md", import.meta.url), "utf8");
  const files = readdirSync(new URL("reliability", import.meta.url)).filter((name) => name.endsWith(".test.ts"));
  const figures = text.split("## Figures")[1]!.split("## Bounds")[0]!;

  test("names for every figure a command that measures it", () => {
    const rows = figures.split("\n").filter((line) => line.startsWith("| ") && !/^\| (what|---)/.test(line));
    expect(rows.length).toBeGreaterThan(10);
    for (const row of rows) {
      const [, filter] = /\| `([\w.-]+)` \|$/.exec(row) ?? [];
      expect(
        files.filter((name) => name.includes(filter ?? "no command")),
        row,
      ).not.toEqual([]);
    }
  });

  test("names only tools, findings and refusals that there are", () => {
    const known = [...allTools.map(({ name }) => name), ...findingCodes, ...errorCodes, "STORE_"];
    const named = [...text.matchAll(/`([A-Z]+_[A-Z_]*|[a-z]+_(?:vm|database|backups?|iso|operations?|order))`/g)];
    expect(named.length).toBeGreaterThan(20);
    for (const [, name] of named) expect(known, name).toContain(name);
  });
});

describe("the generator", () => {
  const [tool] = allTools;

  test("refuses a tool without a title", () => {
    expect(() => toolsTable([{ ...tool!, name: "nameless", title: " " }])).toThrow('Tool "nameless" has no title');
  });

  test("takes the first sentence, and keeps a bar from ending the cell", () => {
    const row = toolsTable([{ ...tool!, name: "x", description: "Set a|b in v1.2 at once. More." }]).split("\n")[2];
    expect(row).toContain("| Set a\\|b in v1.2 at once. |");
  });

  test("replaces what stands between markers and nothing else", () => {
    const text = "a\n<!-- one -->\nold\n<!-- /one -->\nb\n";
    expect(withParts(text, { one: "new" })).toBe("a\n<!-- one -->\nnew\n<!-- /one -->\nb\n");
    expect(() => withParts(text, { one: "new", two: "more" })).toThrow("two");
    expect(() => withParts(text, {})).toThrow("one");
  });
});
