/** What the sources of this repository import, read from their text. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("../..", import.meta.url));
export const sourcesIn = (folder: string): string[] =>
  readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .map((name) => `${folder}/${name.replaceAll("\\", "/")}`)
    .filter((name) => /\.[cm]?tsx?$/.test(name) && !/(?:node_modules|^ui\/dist)\//.test(name));
export const read = (file: string) => readFileSync(join(root, file), "utf8");

/** Returns the source without the comments that begin a line. */
export const codeOf = (source: string) => source.replace(/^\s*\/\*[\s\S]*?\*\//gm, "").replace(/^\s*\/\/.*$/gm, "");

/** Returns what a source imports, by whatever means. */
export function importsOf(source: string): string[] {
  const code = codeOf(source);
  const statements = code.matchAll(
    /^\s*(?:import|export)\b[^;"'`]*?\bfrom\s*["']([^"']+)["']|^\s*import\s*["']([^"']+)["']/gm,
  );
  const calls = code.matchAll(/\b(?:import|require|import\.meta\.resolve)\s*\(\s*["'`]([^"'`$]+)["'`]/g);
  return [...statements, ...calls].map(([, first, second]) => first ?? second!);
}
export const computesAnImport = (source: string) =>
  /(?<![.\w])(?:import|require)\s*\(\s*(?!["'`][^$]*?["'`]\s*[,)])\S/.test(codeOf(source));

/** Returns the paths of the files of this repository that a file imports. */
export const pathsIn = (file: string): string[] =>
  importsOf(read(file))
    .filter((name) => name.startsWith("."))
    .map((name) => join(dirname(file), name).replaceAll("\\", "/"));

/** Returns the sets of files in which each reaches every other by imports (Tarjan's algorithm), each sorted. */
export function circlesIn(graph: ReadonlyMap<string, readonly string[]>): string[][] {
  const circles: string[][] = [];
  const stack: string[] = [];
  const [order, lowest] = [new Map<string, number>(), new Map<string, number>()];
  const visit = (file: string): void => {
    order.set(file, order.size);
    lowest.set(file, order.get(file)!);
    stack.push(file);
    for (const next of graph.get(file)!) {
      if (!graph.has(next)) continue;
      if (!order.has(next)) visit(next);
      if (stack.includes(next)) lowest.set(file, Math.min(lowest.get(file)!, lowest.get(next)!));
    }
    if (lowest.get(file) !== order.get(file)) return;
    const circle = stack.splice(stack.indexOf(file));
    if (circle.length > 1 || graph.get(file)!.includes(file)) circles.push(circle.sort());
  };
  for (const file of graph.keys()) if (!order.has(file)) visit(file);
  return circles;
}

/** The paths of every source of the product. */
export const product = [...sourcesIn("src"), ...sourcesIn("plugins"), ...sourcesIn("ui")].sort();
