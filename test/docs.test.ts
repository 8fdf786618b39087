/** The pages say what the program is. */
// @module-tag process
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import { describe, expect, test } from "vitest";
import { errorCodes } from "../src/domain/error.ts";
import { findingCodes } from "../src/domain/model/finding.ts";
import { httpCodes } from "../src/serve/http/http-error.ts";
import { allTools } from "../src/tools/catalogue.ts";
import { open, pluginFile } from "./plugin-host/harness.ts";
import {
  anchorsOf,
  brokenLinks,
  filesIn,
  isPlaceholder,
  linksOf,
  pages,
  partOf,
  read,
  root,
  sectionOf,
} from "./support/pages.ts";

const readme = read("README.md");
const { scripts, dependencies, devDependencies } = JSON.parse(read("package.json")) as Record<
  "scripts" | "dependencies" | "devDependencies",
  Record<string, string>
>;
const toolNames = allTools.map(({ name }) => name as string);

describe("every page", () => {
  // The program is asked, and a busy machine takes its time to start it.
  test("has what the program makes", { timeout: 180_000 }, async () => {
    const check = await execa(process.execPath, ["scripts/docs.ts", "--check"], { cwd: root, reject: false });
    expect(check.stderr).toBe("");
    expect(check.exitCode).toBe(0);
  });

  test.each(pages)("%s has no link that leads nowhere", (page) => {
    expect(brokenLinks(page, read(page))).toEqual([]);
  });

  test.each(pages)("%s names only files and commands that there are", (page) => {
    const text = read(page);
    // What tests and builds write is there once they have.
    const written = read(".gitignore").split("\n").filter(Boolean);
    const missing = filesIn(text)
      .filter((path) => !isPlaceholder(path) && !existsSync(join(root, path)))
      .filter((path) => !written.some((ignored) => `${path}/`.includes(ignored)));
    expect(missing).toEqual([]);
    const commands = [...text.matchAll(/npm run ([\w:-]+)/g)].map(([, name]) => name!);
    expect(commands.filter((name) => !(name in scripts))).toEqual([]);
  });

  test("names more than a hundred files, so that the pattern that finds them is right", () => {
    expect(pages.flatMap((page) => filesIn(read(page))).length).toBeGreaterThan(100);
  });

  // The changelog tells of what was called otherwise before.
  const present = pages.filter((page) => page !== "CHANGELOG.md");
  test.each(present)("%s names only tools, findings and refusals that there are", (page) => {
    const text = read(page);
    const codes = [...errorCodes, ...findingCodes, ...httpCodes, "STORE_"] as string[];
    const named = [...text.matchAll(/`([A-Z]+_[A-Z_]*)`/g)].map(([, name]) => name!);
    expect(named.filter((name) => !codes.includes(name) && !/^(?:BOOTWRIGHT|ERR)_/.test(name))).toEqual([]);
    const verbs = [...new Set(toolNames.map((name) => name.split("_", 1)[0]!))].join("|");
    const calls = [...text.matchAll(new RegExp(`\`((?:${verbs})_[a-z_]+)\``, "g"))].map(([, name]) => name!);
    // A key of an event's data.
    expect(calls.filter((name) => !toolNames.includes(name) && name !== "from_operation")).toEqual([]);
  });

  test("is listed in docs/README.md, with what it is for", () => {
    const index = read("docs/README.md");
    const listed = linksOf(index).map((link) => join("docs", link));
    expect(pages.filter((page) => !listed.includes(page))).toEqual(["README.md", "docs/README.md"]);
    expect(linksOf(readme)).toContain("docs/README.md");
  });

  test("has no picture beside it that no page shows", () => {
    const shown = pages.flatMap((page) => linksOf(read(page)).map((link) => join(page, "..", link)));
    const pictures = ["docs/images", "docs/drawings"].flatMap((folder) =>
      readdirSync(join(root, folder)).map((name) => `${folder}/${name}`),
    );
    expect(pictures.length).toBeGreaterThan(5);
    expect(pictures.filter((picture) => !shown.includes(picture))).toEqual([]);
  });
});

describe("README.md", () => {
  const callsIn = (part: string) => [...part.matchAll(/^> ([a-z_]+) \{/gm)].map(([, name]) => name!);

  test("is 12 kB at most", () => {
    expect(Buffer.byteLength(readme)).toBeLessThanOrEqual(12_000);
  });

  test("has its parts in their order", () => {
    const headings = [...readme.matchAll(/^## (.+)$/gm)].map(([, heading]) => heading);
    expect(headings).toEqual([
      "Install",
      "Your first VM boots from its disk",
      "What it refuses",
      "Tools",
      "Backends",
      "More",
      "Limits",
      "Licence",
    ]);
  });

  test("begins with three sentences and one picture", () => {
    const beginning = readme.split("\n## ", 1)[0]!;
    const prose = beginning.replace(/^# .*$/m, "").replace(/!\[.*$/m, "");
    expect(prose.match(/\.(?=\s)/g)).toHaveLength(3);
    expect(beginning.match(/!\[/g)).toHaveLength(1);
  });

  test("names the two commands, and how to add the server to each client", () => {
    const install = sectionOf(readme, "Install");
    expect(install).toMatch(/^npm run quickstart\b/m);
    expect(install).toMatch(/^npm test\b/m);
    const clients = [...install.matchAll(/<details>\n<summary>(.+?)<\/summary>/g)].map(([, client]) => client);
    expect(clients).toEqual(expect.arrayContaining(["Claude Code", "Claude Desktop", "VS Code", "Cursor"]));
    for (const [, json] of install.matchAll(/```json\n([\s\S]*?)```/g)) {
      const [servers] = Object.values(JSON.parse(json!) as Record<string, { bootwright: { args: string[] } }>);
      expect(servers!.bootwright.args[0]).toBe("/path/to/bootwright/src/main.ts");
    }
  });

  test("shows five calls to the first VM, three that are refused, and every tool", () => {
    const first = callsIn(partOf(readme, "first-vm"));
    expect(first).toHaveLength(5);
    const refused = callsIn(partOf(readme, "refused"));
    expect(refused).toHaveLength(3);
    expect([...first, ...refused].filter((name) => !toolNames.includes(name))).toEqual([]);
    expect([...partOf(readme, "refused").matchAll(/^ {2}([A-Z_]+): /gm)].map(([, code]) => code)).toHaveLength(3);
    expect([...partOf(readme, "tools").matchAll(/^\| `(\w+)` \|/gm)].map(([, name]) => name)).toEqual(toolNames);
  });
});

describe("docs/decisions.md", () => {
  const kinds = sectionOf(read("docs/decisions.md"), "Dependencies").split("\nWhat builds and tests:\n");
  const entriesIn = (text: string) => text.split("\n").filter((line) => line.startsWith("- "));
  const namesIn = (text: string) =>
    entriesIn(text).flatMap((line) => [...line.split(": ", 1)[0]!.matchAll(/`([^`]+)`/g)].map(([, name]) => name!));

  test("says once about every dependency why it is there, those that run first", () => {
    expect(kinds).toHaveLength(2);
    expect(namesIn(kinds[0]!).sort()).toEqual(Object.keys(dependencies).sort());
    expect(namesIn(kinds[1]!).sort()).toEqual(Object.keys(devDependencies).sort());
  });

  test("says who keeps each", () => {
    expect(kinds.flatMap(entriesIn).filter((line) => !/: .{10,}\. Kept by .+\.$/.test(line))).toEqual([]);
  });
});

describe("docs/plugins.md", () => {
  test("begins with a plugin that works", async () => {
    const [, smallest] = /```ts\n([\s\S]*?)```/.exec(read("docs/plugins.md"))!;
    const host = await open([{ plugin: pluginFile(smallest!, "hello.ts"), config: {} }]);
    await host.deliver({});
    expect(host.lines).toEqual([expect.stringMatching(/^hello: [0-9a-f-]{36} has started$/)]);
    expect(readme).toContain(smallest);
  });
});

describe("docs/developers.md", () => {
  const text = read("docs/developers.md");
  const recipes = sectionOf(text, "How to add")
    .split("\n### ")
    .slice(1)
    .map((recipe) => [recipe.split("\n", 1)[0]!, recipe] as const);

  test("names only variables that there are", () => {
    const sources = ["test", "scripts"].flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
        .filter((name) => name.endsWith(".ts") && name !== "docs.test.ts")
        .map((name) => read(join(folder, name))),
    );
    const variables = [...text.matchAll(/\b(BOOTWRIGHT_[A-Z]+|UPDATE)\b/g)].map(([, name]) => name!);
    expect(variables.length).toBeGreaterThan(6);
    expect(variables.filter((name) => !sources.some((source) => source.includes(`process.env.${name}`)))).toEqual([]);
  });

  test("has a recipe for each thing that is added", () => {
    const things = ["A change", "A tool", "A refusal", "A finding", "An event type", "A backend", "A setting"];
    expect(recipes.map(([thing]) => thing)).toEqual(expect.arrayContaining(things));
    expect(recipes.length).toBeGreaterThan(8);
  });

  test.each(recipes)("%s touches at most five files, its tests included", (_thing, recipe) => {
    const touched = [...new Set(filesIn(recipe))];
    expect(touched.length).toBeGreaterThan(0);
    expect(touched.length, touched.join(", ")).toBeLessThanOrEqual(5);
  });

  test.each(recipes)("%s begins each of its steps with the file that it touches", (_thing, recipe) => {
    const steps = [...recipe.matchAll(/^(?:\d\.|-) (.+)$/gm)].map(([, step]) => step!);
    expect(steps.length).toBeGreaterThan(1);
    expect(steps.filter((step) => !/^`[\w./-]+`/.test(step))).toEqual([]);
  });
});

describe("docs/reliability.md", () => {
  const text = read("docs/reliability.md");
  const files = readdirSync(new URL("reliability", import.meta.url)).filter((name) => name.endsWith(".test.ts"));

  test("says what holds before it says what was measured", () => {
    const anchors = anchorsOf(text);
    expect(anchors.indexOf("figures")).toBeGreaterThan(anchors.indexOf("what-happens-when"));
    expect(anchors.indexOf("figures")).toBeGreaterThan(anchors.indexOf("bounds"));
  });

  test("names for every figure a command that measures it", () => {
    const rows = sectionOf(text, "Figures")
      .split("\n")
      .filter((line) => line.startsWith("| ") && !/^\| (what|---)/.test(line));
    expect(rows.length).toBeGreaterThan(10);
    for (const row of rows) {
      const [, filter] = /\| `([\w.-]+)` \|$/.exec(row) ?? [];
      expect(
        files.filter((name) => name.includes(filter ?? "no command")),
        row,
      ).not.toEqual([]);
    }
  });

  test("names enough tools, findings and refusals for the check of their names to mean something", () => {
    const named = [...text.matchAll(/`([A-Z]+_[A-Z_]*|[a-z]+_(?:vm|database|definitions?|iso|operations?|order))`/g)];
    expect(named.length).toBeGreaterThan(20);
  });
});
