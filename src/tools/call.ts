/** One call of one tool: parse, run, check the answer. What every surface does between its request and its response. */
import { DomainError } from "../domain/error.ts";
import { nearestFirst } from "../domain/nearest.ts";
import { parseInput } from "./respond.ts";
import type { Tool, ToolContext } from "./tool.ts";

/** @throws DomainError a refusal; anything else that is thrown is a defect */
export async function callTool(
  tools: readonly Tool[],
  name: string,
  args: unknown,
  context: ToolContext,
): Promise<Record<string, unknown>> {
  const tool = toolNamed(tools, name);
  const input = parseInput(tool, args);
  const answer = await tool.run(input, context);
  return tool.output.parse(answer) as Record<string, unknown>;
}

/** What is no tool's name may be of any length. */
const NAME_SHOWN_MAX = 100;

/** @throws DomainError TOOL_NOT_FOUND with the nearest names first */
export function toolNamed(tools: readonly Tool[], name: string): Tool {
  const tool = tools.find((candidate) => candidate.name === name);
  if (tool) return tool;
  throw new DomainError("TOOL_NOT_FOUND", {
    tool: name.slice(0, NAME_SHOWN_MAX),
    known: nearestFirst(
      name,
      tools.map((candidate) => candidate.name),
    ),
  });
}
