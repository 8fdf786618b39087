/** Parses tool arguments that come as text, from a command line or a query string. */
import type { z } from "zod";
import type { Tool } from "../tools/tool.ts";

/** Parses numbers, booleans and lists only where the tool's schema expects them: a VM may be named 123. */
export function parseArgument(tool: Pick<Tool, "input">, key: string, text: string): unknown {
  const shape: Readonly<Record<string, z.ZodType>> = tool.input.shape;
  const field = Object.hasOwn(shape, key) ? shape[key] : undefined;
  const asText = field?.safeParse(text);
  if (!field || !asText?.error) return text;
  const wantsText = asText.error.issues.every(({ code }) => code !== "invalid_type" && code !== "invalid_union");
  if (wantsText) return text;
  const json = parseJson(text);
  if (json !== undefined && field.safeParse(json).success) return json;
  const list = text.split(",");
  // A list with wrong items is still a list, so that the refusal names the items.
  const asList = field.safeParse(list);
  if (asList.success || asList.error.issues.every(({ path }) => path.length > 0)) return list;
  return json ?? text;
}

/** Undefined for text that is no JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
