/** Canonical XML for comparing (the part of C14N that domain XML needs), written without the parser under test: sorted
 * attributes, entities resolved, CDATA as text, no empty-element tags. */
const resolve = (raw: string): string =>
  raw
    .replace(/&#x([0-9a-f]+);/gi, (_all, hex) => String.fromCodePoint(Number.parseInt(hex, 16)))
    .replace(/&#(\d+);/g, (_all, number) => String.fromCodePoint(Number(number)))
    .replace(/&lt;/g, "<")
    .replace(/&gt;/g, ">")
    .replace(/&quot;/g, '"')
    .replace(/&apos;/g, "'")
    .replace(/&amp;/g, "&");

const token =
  /<!--([\s\S]*?)-->|<!\[CDATA\[([\s\S]*?)\]\]>|<\?[\s\S]*?\?>|<(\/?)([^\s/>]+)((?:\s+[^\s=]+\s*=\s*(?:"[^"]*"|'[^']*'))*)\s*(\/?)>|([^<]+)/g;

/** One line per tag, text and comment; white space between tags does not count unless `exact`. */
export function canonical(xml: string, { exact = false } = {}): string {
  const lines: string[] = [];
  let text = "";
  const flush = () => {
    if (text !== "" && (exact || text.trim() !== "")) lines.push(`text ${JSON.stringify(text)}`);
    text = "";
  };
  let end = 0;
  for (const match of xml.matchAll(token)) {
    if (match.index !== end) throw new Error(`Cannot read XML at ${end}: ${xml.slice(end, end + 40)}`);
    end = match.index + match[0].length;
    const [, comment, cdata, closing, name, attributes = "", empty, plain] = match;
    if (cdata !== undefined) text += cdata;
    else if (plain !== undefined) text += resolve(plain);
    else {
      flush();
      if (comment !== undefined) lines.push(`comment ${JSON.stringify(comment)}`);
      else if (name !== undefined && closing) lines.push(`/${name}`);
      else if (name !== undefined) {
        const pairs = [...attributes.matchAll(/([^\s=]+)\s*=\s*(?:"([^"]*)"|'([^']*)')/g)];
        lines.push(
          [name, ...pairs.map(([, key, a, b]) => `${key}=${JSON.stringify(resolve(a ?? b ?? ""))}`).sort()].join(" "),
        );
        if (empty) lines.push(`/${name}`);
      }
    }
  }
  flush();
  if (end !== xml.length) throw new Error(`Cannot read XML at ${end}`);
  return lines.join("\n");
}

/** Without boot entries, for comparing everything else. */
export const withoutBoot = (lines: string): string => lines.replace(/^boot (dev|order)=.*\n\/boot\n/gm, "");
