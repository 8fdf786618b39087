/** The files that a project is known by: its changelog, its workflows and forms, and what the package says of itself. */
import { readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import manifest from "../package.json" with { type: "json" };
import { read, root } from "./support/pages.ts";

const REPOSITORY = "https://github.com/bootwright/bootwright";
const { parse: parseYaml } = createRequire(import.meta.resolve("@seriousme/openapi-schema-validator"))("yaml") as {
  parse: (text: string) => unknown;
};

/** A changelog in the format of Keep a Changelog. @throws Error for a line that has no place in it */
function changelogOf(text: string) {
  const [head, ...releases] = text.split(/^## /m);
  const links = new Map([...text.matchAll(/^\[([^\]]+)\]: (\S+)$/gm)].map(([, name, url]) => [name!, url!]));
  return {
    title: /^# (.+)$/m.exec(head!)?.[1],
    links,
    releases: releases.map((release) => {
      const [heading, ...lines] = release.split("\n");
      const [, version, date] = /^\[([^\]]+)\](?: - (\d{4}-\d{2}-\d{2}))?$/.exec(heading!) ?? [];
      if (version === undefined) throw new Error(`"${heading}" names no version`);
      const [, ...groups] = lines.join("\n").split(/^### /m);
      const kinds = groups.map((group) => {
        const [kind, ...rest] = group.split("\n");
        const stray = rest.filter((line) => line !== "" && !/^(?:- | {2}\S|\[[^\]]+\]: )/.test(line));
        if (stray.length > 0) throw new Error(`${version}, ${kind}: "${stray[0]}" is no entry`);
        return { kind: kind!, entries: rest.filter((line) => line.startsWith("- ")).length };
      });
      return { version, date, kinds };
    }),
  };
}

describe("CHANGELOG.md", () => {
  const { title, links, releases } = changelogOf(read("CHANGELOG.md"));

  test("begins with what is unreleased, and the version of the package is the newest of the others", () => {
    expect(title).toBe("Changelog");
    expect(releases[0]).toMatchObject({ version: "Unreleased", date: undefined });
    expect(releases[1]!.version).toBe(manifest.version);
  });

  test("gives each version a day and a link, the newest first", () => {
    const versions = releases.slice(1).map(({ version }) => version);
    const numbers = versions.map((version) => version.split(".").map(Number));
    expect(numbers).toEqual([...numbers].sort(([a, b, c], [d, e, f]) => d! - a! || e! - b! || f! - c!));
    for (const { date } of releases.slice(1)) expect(Number.isNaN(Date.parse(date!))).toBe(false);
    expect([...links.keys()].sort()).toEqual(releases.map(({ version }) => version).sort());
    for (const url of links.values()) expect(url.startsWith(`${REPOSITORY}/`), url).toBe(true);
  });

  test("has entries of the known kinds alone", () => {
    const known = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"];
    for (const { version, kinds } of releases) {
      const names = kinds.map(({ kind }) => kind);
      expect(names, version).toEqual(known.filter((kind) => names.includes(kind)));
      for (const { kind, entries } of kinds) expect(entries, `${version}, ${kind}`).toBeGreaterThan(0);
    }
    expect(releases[1]!.kinds.length).toBeGreaterThan(0);
  });

  test("changelogOf() refuses what is no changelog", () => {
    expect(() => changelogOf("# Changelog\n\n## Version 1\n")).toThrow('"Version 1" names no version');
    expect(() => changelogOf("# C\n\n## [1.0.0] - 2026-01-01\n\n### Added\n\nprose\n")).toThrow('"prose" is no entry');
  });
});

describe(".github", () => {
  const files = readdirSync(join(root, ".github"), { recursive: true, encoding: "utf8" })
    .map((name) => `.github/${name.replaceAll("\\", "/")}`)
    .filter((name) => name.endsWith(".yml"))
    .sort();
  type Workflow = {
    on: object;
    permissions: object;
    jobs: Record<string, { "timeout-minutes": number; steps: { run?: string; uses?: string }[] }>;
  };
  const workflow = parseYaml(read(".github/workflows/ci.yml")) as Workflow;
  const runs = Object.values(workflow.jobs).flatMap(({ steps }) => steps.flatMap(({ run }) => run ?? []));

  test("is of YAML that can be read", () => {
    expect(files).toEqual(
      expect.arrayContaining([".github/dependabot.yml", ".github/workflows/ci.yml", ".github/ISSUE_TEMPLATE/bug.yml"]),
    );
    for (const file of files) expect(parseYaml(read(file)), file).toBeTypeOf("object");
  });

  test("runs the tests by the command that .ci/run has, and checks types, lint and docs", () => {
    expect(read(".ci/run")).toMatch(/^exec npm --loglevel=silent test\b/m);
    expect(runs).toEqual(expect.arrayContaining(["npm test", "npx tsc", "npx biome ci .", "npm run docs -- --check"]));
    const named = runs.flatMap((run) => [...run.matchAll(/npm run ([\w:-]+)/g)].map(([, name]) => name!));
    expect(named.filter((name) => !(name in manifest.scripts))).toEqual([]);
  });

  test("bounds what a workflow may do, and how long", () => {
    expect(workflow.permissions).toEqual({ contents: "read" });
    for (const job of Object.values(workflow.jobs)) expect(job["timeout-minutes"]).toBeGreaterThan(0);
  });

  test.each(files.filter((file) => /ISSUE_TEMPLATE\/(?!config)/.test(file)))("%s is an issue form", (file) => {
    const form = parseYaml(read(file)) as { name: string; description: string; body: { type: string; id?: string }[] };
    expect(form).toMatchObject({ name: expect.any(String), description: expect.any(String) });
    const ids = form.body.map(({ id }) => id);
    expect(new Set(ids).size).toBe(form.body.length);
    expect(form.body.every(({ type }) => ["textarea", "input", "dropdown", "checkboxes"].includes(type))).toBe(true);
  });
});

describe("package.json", () => {
  test("says where the project is, and what it is found by", () => {
    expect(manifest.repository).toEqual({ type: "git", url: `git+${REPOSITORY}.git` });
    expect(manifest.bugs).toBe(`${REPOSITORY}/issues`);
    expect(manifest.homepage).toBe(`${REPOSITORY}#readme`);
    expect(manifest.keywords).toEqual(expect.arrayContaining(["mcp", "libvirt", "qemu"]));
  });
});
