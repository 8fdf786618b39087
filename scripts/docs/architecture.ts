/** The drawing of the sources: their folders, and which imports which, read from the sources themselves. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { fenced } from "./markdown.ts";

type Source = Readonly<{ file: string; text: string }>;
type Edge = Readonly<{ from: string; to: string }>;

const root = fileURLToPath(new URL("../..", import.meta.url));
const tops = ["src", "plugins", "ui"];
/** Folders of which each folder inside is drawn by itself. */
const opened = ["src/domain"];

const sources = (): Source[] =>
  tops.flatMap((top) =>
    readdirSync(join(root, top), { recursive: true, encoding: "utf8" })
      .map((name) => `${top}/${name.replaceAll("\\", "/")}`)
      .filter((file) => /\.tsx?$/.test(file) && !file.includes("/node_modules/") && !file.startsWith("ui/dist/"))
      .sort()
      .map((file) => ({ file, text: readFileSync(join(root, file), "utf8") })),
  );

/** What a file is drawn as: its folder, or itself where it lies in `src` or in an opened folder directly. */
export function boxOf(file: string): string {
  const parts = file.split("/");
  if (parts[0] !== "src") return parts[0]!;
  const inOpened = opened.find((folder) => file.startsWith(`${folder}/`));
  return parts.slice(0, (inOpened ?? "src").split("/").length + 1).join("/");
}

const importsOf = (text: string): string[] =>
  [
    ...text.matchAll(
      /^\s*(?:import|export)\b[^;"'`]*?\bfrom\s*["'](\.[^"']+)["']|\bimport\s*\(\s*["'](\.[^"']+)["']/gm,
    ),
  ].map(([, first, second]) => first ?? second!);

export function edgesOf(files: readonly Source[]): Edge[] {
  const found = new Map<string, Edge>();
  for (const { file, text } of files) {
    for (const name of importsOf(text)) {
      const [from, to] = [boxOf(file), boxOf(join(dirname(file), name).replaceAll("\\", "/"))];
      if (from !== to) found.set(`${from} ${to}`, { from, to });
    }
  }
  return [...found.values()].sort((a, b) => (`${a.from} ${a.to}` < `${b.from} ${b.to}` ? -1 : 1));
}

/** Without the arrows between two boxes that other arrows lead from one to the other anyway. */
export function reduced(edges: readonly Edge[]): Edge[] {
  let left = [...edges];
  for (const edge of edges) {
    const others = left.filter((one) => one !== edge);
    if (leads(others, edge.from, edge.to)) left = others;
  }
  return left;
}

function leads(edges: readonly Edge[], from: string, to: string): boolean {
  const seen = new Set([from]);
  for (const at of seen) for (const edge of edges) if (edge.from === at) seen.add(edge.to);
  return seen.has(to);
}

/** As Mermaid, which GitHub draws. */
export function drawingOf(files: readonly Source[]): string {
  const boxes = [...new Set(files.map(({ file }) => boxOf(file)))].sort();
  const id = (box: string) => box.replaceAll(/\W+/g, "_");
  const isInside = (box: string, folder: string) => box.startsWith(`${folder}/`);
  const draw = (box: string, inside = "") => `  ${id(box)}["${inside === "" ? box : box.slice(inside.length + 1)}"]`;
  const groups = opened.filter((folder) => boxes.some((box) => isInside(box, folder)));
  const single = boxes.filter((box) => !groups.some((folder) => isInside(box, folder)));
  const lines = [
    "flowchart TD",
    ...single.map((box) => draw(box)),
    ...groups.flatMap((folder) => [
      `  subgraph ${id(folder)}_all["${folder}"]`,
      ...boxes.filter((box) => isInside(box, folder)).map((box) => `  ${draw(box, folder)}`),
      "  end",
    ]),
    ...reduced(edgesOf(files)).map(({ from, to }) => `  ${id(from)} --> ${id(to)}`),
  ];
  return fenced(lines.join("\n"), "mermaid");
}

export const architectureDrawing = (): string => drawingOf(sources());
