/** The README tells what the program is. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { describe, expect, test } from "vitest";
import { toolsTable, withParts } from "../scripts/docs.ts";
import { allTools } from "../src/tools/catalogue.ts";

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
