/** The repository's pages of documentation, and their parts. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("../..", import.meta.url));
export const read = (file: string): string => readFileSync(join(root, file), "utf8");

/** The paths of every page: those of `docs/`, and those beside the README. */
export const pages: readonly string[] = [
  ...readdirSync(root).filter((name) => name.endsWith(".md")),
  ...readdirSync(join(root, "docs"), { recursive: true, encoding: "utf8" })
    .map((name) => `docs/${name.replaceAll("\\", "/")}`)
    .filter((name) => name.endsWith(".md")),
].sort();

const withoutFences = (text: string) => text.replaceAll(/^```[\s\S]*?^```$/gm, "");

/** Returns the anchors that GitHub gives a page's headings. */
export function anchorsOf(text: string): string[] {
  const counts = new Map<string, number>();
  return [...withoutFences(text).matchAll(/^#{1,6} +(.+)$/gm)].map(([, heading]) => {
    const words = heading!.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1").toLowerCase();
    const slug = words.replaceAll(/[^\p{L}\p{N}\s_-]/gu, "").replaceAll(/\s/g, "-");
    const count = counts.get(slug) ?? 0;
    counts.set(slug, count + 1);
    return count === 0 ? slug : `${slug}-${count}`;
  });
}

/** Returns the targets of a page's links and pictures, as they are written. */
export const linksOf = (text: string): string[] =>
  [...withoutFences(text).matchAll(/\]\(([^)\s]+)\)|^\[[^\]]+\]: (\S+)$/gm)].map(
    ([, first, second]) => first ?? second!,
  );

/** Returns the links of a page that lead to no file of the repository, or to no heading of a page. */
export function brokenLinks(page: string, text: string): string[] {
  return linksOf(text).filter((link) => {
    if (/^(?:https?|mailto):/.test(link)) return false;
    const [path, anchor] = link.split("#", 2);
    const target = path === "" ? page : join(dirname(page), path!);
    if (!existsSync(join(root, target))) return true;
    if (anchor === undefined) return false;
    return !target.endsWith(".md") || !anchorsOf(target === page ? text : read(target)).includes(anchor);
  });
}

/** Returns the text between a heading of the second level and the next. */
export function sectionOf(text: string, heading: string): string {
  const [, after] = text.split(`\n## ${heading}\n`);
  if (after === undefined) throw new Error(`No section "${heading}"`);
  return after.split("\n## ", 1)[0]!;
}

/** Returns the text between the markers of a part that the program makes. */
export function partOf(text: string, name: string): string {
  const [, part] = new RegExp(`^<!-- ${name} -->\\n([\\s\\S]*?)^<!-- /${name} -->$`, "m").exec(text) ?? [];
  if (part === undefined) throw new Error(`No part "${name}"`);
  return part;
}

/** Returns the files of the repository that a text names. AREA and NAME stand for a name of one's own. */
export const filesIn = (text: string): string[] =>
  [...text.matchAll(/(?<![\w/.-])(?:src|plugins|test|scripts|bench|docs|ui)\/[\w./-]*\w\/?/g)].map(([path]) => path);
export const isPlaceholder = (path: string): boolean => /\b(?:AREA|NAME)\b/.test(path);
