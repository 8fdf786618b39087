/** Makes one call of one tool: parse the input, run, check the answer. */
import { DomainError } from "../domain/error.ts";
import { nearestFirst } from "../domain/nearest.ts";
import { parseInput } from "./respond.ts";
import type { Tool, ToolContext } from "./tool.ts";

/** @throws DomainError a refusal; any other error is a defect */
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

/** An unknown name may have any length. */
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
