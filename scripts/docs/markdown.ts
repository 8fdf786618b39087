/** Markdown that the pages are made of. */

export const code = (text: string) => `\`${text}\``;
export const codes = (names: readonly string[]) => names.map(code).join(" ");
export const fenced = (text: string, language = "") => `\`\`\`${language}\n${text}\n\`\`\``;

/** A bar in a cell would end it, and so would a new line. */
const cell = (text: string) => text.replaceAll("|", "\\|").replaceAll("\n", " ");

export const table = (heads: readonly string[], rows: readonly (readonly string[])[]): string =>
  [heads, heads.map(() => "---"), ...rows].map((row) => `| ${row.map(cell).join(" | ")} |`).join("\n");

/** Up to the first full stop that ends a sentence. */
export const firstSentence = (text: string) => /^.*?[.](?=\s|$)/s.exec(text)?.[0] ?? text;

/** The text with every part between markers made anew. @throws Error when a marker is missing or nobody's */
export function withParts(text: string, parts: Readonly<Record<string, string>>, file = "README.md"): string {
  const found = [...text.matchAll(/^<!-- ([a-z-]+) -->$/gm)].map(([, name]) => name!);
  const wrong = [
    ...Object.keys(parts).filter((name) => !found.includes(name)),
    ...found.filter((name) => !(name in parts)),
  ];
  if (wrong.length) throw new Error(`${file} and scripts/docs.ts do not have the same parts: ${wrong.join(", ")}`);
  return Object.entries(parts).reduce((whole, [name, part]) => {
    const [from, to] = [`<!-- ${name} -->\n`, `<!-- /${name} -->`];
    const [begin, end] = [whole.indexOf(from) + from.length, whole.indexOf(to)];
    if (end < begin) throw new Error(`${file} has no ${to} after ${from.trim()}`);
    return `${whole.slice(0, begin)}${part}\n${whole.slice(end)}`;
  }, text);
}
