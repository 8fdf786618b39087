/** A session as the README shows it: as text, and as the picture of one refusal. */
import { fenced } from "./markdown.ts";
import { callText, type Exchange } from "./session.ts";

/** Each call and the first lines of its answer. */
export function transcript(exchanges: readonly Exchange[], linesMax: number): string {
  const parts = exchanges.map((exchange) => {
    const answer = exchange.lines.slice(0, linesMax).flatMap((line) => wrapped(line, COLUMNS - 2));
    return [`> ${callText(exchange)}`, ...answer.map((line) => `  ${line}`)].join("\n");
  });
  return fenced(parts.join("\n\n"), "text");
}

const COLUMNS = 92;
const [CHARACTER_WIDTH, LINE_HEIGHT, MARGIN] = [8.43, 20, 20];
const colours = { background: "#16191f", call: "#e6e8ec", answer: "#a9b1bd", refused: "#ff8d85", fix: "#8fd694" };

type Line = Readonly<{ text: string; colour: string; bold?: true }>;

/** A picture of what a client sees, as wide as a terminal. `label` is for who cannot see it. */
export function picture(exchanges: readonly Exchange[], label: string): string {
  const lines = exchanges.flatMap((exchange, at) => [
    ...(at > 0 ? [{ text: "", colour: colours.answer }] : []),
    ...linesOf(exchange),
  ]);
  const [width, height] = [Math.round(COLUMNS * CHARACTER_WIDTH + 2 * MARGIN), lines.length * LINE_HEIGHT + 2 * MARGIN];
  const drawn = lines.map(({ text, colour, bold }, at) => {
    const weight = bold ? ' font-weight="bold"' : "";
    const y = MARGIN + (at + 0.75) * LINE_HEIGHT;
    return `<text x="${MARGIN}" y="${y}" fill="${colour}"${weight} xml:space="preserve">${escaped(text)}</text>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${escaped(label)}" font-family="ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace" font-size="14">
<rect width="${width}" height="${height}" rx="8" fill="${colours.background}"/>
${drawn.filter((line) => !line.includes("></text>")).join("\n")}
</svg>
`;
}

function linesOf(exchange: Exchange): Line[] {
  const answers = exchange.lines.flatMap((line) => {
    const colour = exchange.refused ? colours.refused : /^mend: /.test(line) ? colours.fix : colours.answer;
    return wrapped(line, COLUMNS - 2).map((text) => ({ text: `  ${text}`, colour }));
  });
  return [
    ...wrapped(`> ${callText(exchange)}`, COLUMNS).map((text) => ({ text, colour: colours.call, bold: true as const })),
    ...answers,
  ];
}

/** Broken between words, or within a word that is longer than a line. */
function wrapped(text: string, columns: number): string[] {
  const lines: string[] = [];
  for (let rest = text; rest !== ""; ) {
    const space = rest.length <= columns ? rest.length : rest.lastIndexOf(" ", columns);
    const end = space > 0 ? space : columns;
    lines.push(rest.slice(0, end));
    rest = rest.slice(end).trimStart();
  }
  return lines;
}

const escaped = (text: string) =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
