import { expect, test } from "vitest";
import { circlesIn, computesAnImport, importsOf } from "./import-graph.ts";

test("circlesIn() finds a circle of any length, and takes a diamond for none", () => {
  const graph = (edges: Readonly<Record<string, string[]>>) => new Map(Object.entries(edges));
  expect(circlesIn(graph({ a: ["b"], b: ["c"], c: ["a"], d: ["a"] }))).toEqual([["a", "b", "c"]]);
  expect(circlesIn(graph({ a: ["a"], b: [] }))).toEqual([["a"]]);
  expect(circlesIn(graph({ a: ["b", "c"], b: ["d"], c: ["d"], d: [] }))).toEqual([]);
});

test("importsOf() sees every kind of import", () => {
  const source = [
    'import { a } from "./a.ts";',
    'import type { B } from "./b.ts";',
    'import {\n  type C,\n  d,\n} from "../c.ts";',
    'export { e } from "./e.ts";',
    'export type * from "./f.ts";',
    'import "./g.ts";',
    'type H = typeof import("./h.ts");',
    'const i = await import("./i.ts");',
    'const j = require("node:fs");',
    '// import { k } from "./k.ts";',
    '/** export { l } from "./l.ts"; */',
    'const m = "moved from one to another";',
  ].join("\n");
  const relative = ["./a.ts", "./b.ts", "../c.ts", "./e.ts", "./f.ts", "./g.ts", "./h.ts", "./i.ts"];
  expect(importsOf(source)).toEqual([...relative, "node:fs"]);
  expect(computesAnImport(source)).toBe(false);
  expect(computesAnImport("await import(wanted)")).toBe(true);
  expect(computesAnImport(["await import(`./$", "{wanted}.ts`)"].join(""))).toBe(true);
});
