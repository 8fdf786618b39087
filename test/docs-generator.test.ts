/** What pages have from the program is made of it, and nothing else in them is touched. */
import { describe, expect, test } from "vitest";
import { boxOf, drawingOf, edgesOf, reduced } from "../scripts/docs/architecture.ts";
import { firstSentence, table, withParts } from "../scripts/docs/markdown.ts";
import { refusalsTable } from "../scripts/docs/refusals.ts";
import { shortOf, toolsTable } from "../scripts/docs/tools.ts";
import { picture } from "../scripts/docs/transcript.ts";
import { DomainError, errorCodes } from "../src/domain/error.ts";
import { allTools } from "../src/tools/catalogue.ts";

const [tool] = allTools;

describe("the tables of tools", () => {
  test("refuse a tool without a title", () => {
    expect(() => toolsTable([{ ...tool!, name: "nameless", title: " " }])).toThrow('Tool "nameless" has no title');
  });

  test("take the first sentence, and keep a bar from ending the cell", () => {
    const row = toolsTable([{ ...tool!, name: "x", description: "Set a|b in v1.2 at once. More." }]).split("\n")[2];
    expect(row).toContain("| Set a\\|b in v1.2 at once. |");
  });

  test.each([
    ["Create a VM with an empty disk, with an ISO in it if iso_path is given.", "Create a VM with an empty disk"],
    ["After the database was lost: put every VM back on record, as it was.", "Put every VM back on record"],
    [
      "Bring back what somebody removed, renamed or replaced: one way.",
      "Bring back what somebody removed, renamed or replaced",
    ],
    ["Copy the database (with passwords) as it is.", "Copy the database"],
    ["Get one VM: status, order and disk.", "Get one VM: status, order and disk"],
    ["Get one VM: installation status, boot order, disk.", "Get one VM: installation status, …"],
    ["List VMs.", "List VMs"],
  ])("say of %j in half a line: %s", (description, short) => {
    expect(shortOf(description)).toBe(short);
  });
});

describe("the table of refusals", () => {
  test("has every code with its words, and what it is about in braces", () => {
    const rows = refusalsTable().split("\n").slice(2);
    expect(rows).toHaveLength(errorCodes.length);
    expect(rows.filter((row) => /\bundefined\b|NaN|\[object|=>/.test(row))).toEqual([]);
    const { message, hint } = new DomainError("ISO_NOT_FOUND", { iso: "{iso}", known: ["{known}"] });
    expect(rows).toContain(`| \`ISO_NOT_FOUND\` | ${message} | ${hint} | \`list_isos\` |`);
  });
});

describe("the drawing of the sources", () => {
  const source = (file: string, ...imports: string[]) => ({
    file,
    text: imports.map((name) => `import type { A } from "${name}";`).join("\n"),
  });

  test("draws folders, what is in the domain by itself, and files of src by their names", () => {
    const files = [
      "src/main.ts",
      "src/serve/http/rest.ts",
      "src/domain/error.ts",
      "src/domain/engine/run.ts",
      "ui/vm/a.tsx",
    ];
    expect(files.map(boxOf)).toEqual(["src/main.ts", "src/serve", "src/domain/error.ts", "src/domain/engine", "ui"]);
  });

  test("has an arrow for each import between two of them, of a type and a dynamic one too", () => {
    const dynamic = {
      file: "src/main.ts",
      text: 'const a = await import("./serve/mcp.ts");\n// import "./tools/a.ts"',
    };
    const files = [dynamic, source("src/serve/mcp.ts", "./wire.ts", "../tools/call.ts")];
    expect(edgesOf(files)).toEqual([
      { from: "src/main.ts", to: "src/serve" },
      { from: "src/serve", to: "src/tools" },
    ]);
  });

  test("leaves out an arrow that others lead along, and never the last way", () => {
    const edge = (from: string, to: string) => ({ from, to });
    const [ab, bc, ac] = [edge("a", "b"), edge("b", "c"), edge("a", "c")];
    expect(reduced([ab, ac, bc])).toEqual([ab, bc]);
    const circle = [edge("a", "b"), edge("b", "a"), edge("a", "c"), edge("b", "c")];
    const left = reduced(circle);
    expect(left.some(({ to }) => to === "c")).toBe(true);
    expect(left).toEqual(expect.arrayContaining(circle.slice(0, 2)));
  });

  test("puts the folders of the domain into a box of their own", () => {
    const drawing = drawingOf([
      source("src/tools/boot.ts", "../domain/engine/run.ts"),
      source("src/domain/engine/run.ts", "../error.ts"),
      source("src/domain/error.ts"),
    ]);
    expect(drawing.split("\n")).toEqual([
      "```mermaid",
      "flowchart TD",
      '  src_tools["src/tools"]',
      '  subgraph src_domain_all["src/domain"]',
      '    src_domain_engine["engine"]',
      '    src_domain_error_ts["error.ts"]',
      "  end",
      "  src_domain_engine --> src_domain_error_ts",
      "  src_tools --> src_domain_engine",
      "```",
    ]);
  });
});

describe("the picture", () => {
  test("breaks long lines and keeps what SVG would read as its own", () => {
    const lines = [`${"word ".repeat(40)}<an ISO> & "more"`];
    const svg = picture([{ tool: "start_vm", args: {}, refused: true, lines }], 'a "b"');
    const texts = [...svg.matchAll(/<text [^>]*>([^<]*)<\/text>/g)].map(([, text]) => text!);
    expect(texts[0]).toBe("&gt; start_vm {}");
    expect(texts.slice(1).join(" ")).toContain("&lt;an ISO&gt; &amp; &quot;more&quot;");
    expect(Math.max(...texts.map((text) => text.length))).toBeLessThan(110);
    expect(svg).toContain('aria-label="a &quot;b&quot;"');
  });
});

describe("a page", () => {
  test("has what stands between its markers replaced, and nothing else", () => {
    const text = "a\n<!-- one -->\nold\n<!-- /one -->\nb\n";
    expect(withParts(text, { one: "new" })).toBe("a\n<!-- one -->\nnew\n<!-- /one -->\nb\n");
    expect(() => withParts(text, { one: "new", two: "more" })).toThrow("two");
    expect(() => withParts(text, {})).toThrow("one");
  });

  test("has cells on one line", () => {
    expect(table(["a"], [["b|c\nd"]])).toBe("| a |\n| --- |\n| b\\|c d |");
    expect(firstSentence("In v1.2 at once. More.")).toBe("In v1.2 at once.");
  });
});
