/** What the pages say of the tools: half a line of each in the README, all of it in the reference. */

import { scopeFor } from "../../src/domain/scope.ts";
import { argumentsOf } from "../../src/serve/http/api-reference-page.ts";
import { examples } from "../../src/serve/http/example.ts";
import { openApiOf } from "../../src/serve/http/openapi.ts";
import type { Tool } from "../../src/tools/tool.ts";
import { code, fenced, firstSentence, table } from "./markdown.ts";

type Described = Pick<Tool, "name" | "title" | "description" | "effect">;

const SHORT_MIN = 22;

/** The first thing that a sentence says, and the next where that is very short. A condition before it ("After the database
 * was lost: …") is left out, and a list ("removed, renamed or replaced") stays whole. */
export function shortOf(description: string): string {
  const act = firstSentence(description)
    .replace(/^(?:After|Before|If|When)\b[^:]*:\s*/, "")
    .replace(/\.$/, "");
  const ends = [...act.matchAll(/[:;](?=\s)|,(?=\s(?!\w+(?:,|\sor\s)))|\s(?=\()/g)];
  const end = ends.find(({ index, 0: sign }) => index >= SHORT_MIN || sign === " ");
  const short = act.slice(0, end?.index);
  const isCutList = end?.[0] === "," && short.includes(":");
  return `${short.slice(0, 1).toUpperCase()}${short.slice(1)}${isCutList ? ", …" : ""}`;
}

/** @throws Error for a tool that does not say what people are to call it and what it does */
export function requireWords(tools: readonly Described[]): void {
  for (const { name, title, description } of tools) {
    if (!title.trim()) throw new Error(`Tool "${name}" has no title: say in its definition what people call it`);
    if (!description.trim()) throw new Error(`Tool "${name}" has no description: say in its definition what it does`);
  }
}

export function shortToolsTable(tools: readonly Described[]): string {
  requireWords(tools);
  return table(
    ["tool", "what it does"],
    tools.map(({ name, description }) => [code(name), shortOf(description)]),
  );
}

export function toolsTable(tools: readonly Described[]): string {
  requireWords(tools);
  return table(
    ["tool", "what it does", "effect"],
    tools.map(({ name, description, effect }) => [`[${code(name)}](#${name})`, firstSentence(description), effect]),
  );
}

/** Every tool with its arguments, as the REST interface describes them too. */
export function toolSections(tools: readonly Tool[]): string {
  const { paths } = openApiOf(tools, "0.0.0");
  return tools.map((tool) => sectionOf(tool, paths)).join("\n\n");
}

function sectionOf(tool: Tool, paths: ReturnType<typeof openApiOf>["paths"]): string {
  const { name, description, effect, http } = tool;
  const operation = paths[http.path]![http.method.toLowerCase()]!;
  const rows = argumentsOf(operation).map(({ name, required, type, text }) => [
    `${code(name)}${required ? " \\*" : ""}`,
    type,
    text,
  ]);
  const example = examples[name];
  return [
    `### ${name}`,
    description,
    `Effect: ${effect}. Scope: ${code(scopeFor[effect])}. REST: ${code(`${http.method} /api${http.path}`)}.`,
    ...(rows.length ? [table(["argument", "is", "means"], rows)] : ["It takes no arguments."]),
    ...(example === undefined ? [] : [fenced(JSON.stringify(example), "json")]),
  ].join("\n\n");
}
